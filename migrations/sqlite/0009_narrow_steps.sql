-- The numbers of both engines' schemas are the same. What this one changes is of the server alone: here what is seen of a worker
-- lies in its attempt's row since 0005, and an index of what is open costs little.
SELECT 1;
