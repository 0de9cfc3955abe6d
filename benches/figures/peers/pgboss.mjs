// pg-boss on a database of its own: `node pgboss.mjs URL JOBS`. Ten workers with batches of a hundred, burst.
// Prints one line of JSON: rates in jobs a second, latencies in milliseconds.
import { PgBoss } from "pg-boss";
import pg from "pg";

const [url, count] = process.argv.slice(2);
const jobs = Number(count);
const pool = new pg.Pool({ connectionString: url, max: 2 });
const now = () => process.hrtime.bigint();
const seconds = (from) => Number(now() - from) / 1e9;

const boss = new PgBoss({ connectionString: url, max: 14, supervise: false, schedule: false });
boss.on("error", (error) => console.error(error));
await boss.start();
await boss.createQueue("nothing");

let begun = now();
for (let done = 0; done < jobs; done += 1000) {
  await boss.insert("nothing", Array.from({ length: 1000 }, (_, n) => ({ data: { n } })));
}
const bulk = jobs / seconds(begun);

// Process: fetch, nothing, complete, until nothing is left; its own `work` waits between batches.
await pool.query("ANALYZE");
let left = jobs;
begun = now();
await Promise.all(
  Array.from({ length: 10 }, async () => {
    while (left > 0) {
      const batch = await boss.fetch("nothing", { batchSize: 100 });
      if (batch.length === 0) return;
      await boss.complete("nothing", batch.map((job) => job.id));
      left -= batch.length;
    }
  }),
);
const process_ = jobs / seconds(begun);

const single_jobs = 3000;
let given = 0;
begun = now();
await Promise.all(
  Array.from({ length: 10 }, async () => {
    while (given++ < single_jobs) await boss.send("nothing", { n: given });
  }),
);
const single = single_jobs / seconds(begun);
console.log(JSON.stringify({ bulk, process: process_, single, latencies: [], left }));
await boss.stop({ graceful: false });
await pool.end();
