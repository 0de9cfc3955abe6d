-- The numbers of both engines' schemas are the same. What this one changes, rules of foreign keys that are planned once a session
-- and asked row by row, is of the server alone: here a foreign key is part of the statement that it is checked in.
SELECT 1;
