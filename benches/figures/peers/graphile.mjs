// graphile-worker on a database of its own: `node graphile.mjs URL SETTING JOBS`, SETTING is `default` or `batched`.
// Prints one line of JSON: rates in jobs a second, latencies in milliseconds.
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";

const [url, setting, count] = process.argv.slice(2);
const jobs = Number(count);
const quiet = new Logger(() => () => {});
const pool = new pg.Pool({ connectionString: url, max: 14 });
pool.on("error", (error) => console.error(error));
const seconds = (from) => Number(process.hrtime.bigint() - from) / 1e9;
const now = () => process.hrtime.bigint();
// The second is the setting of the project's own performance test.
const worker =
  setting === "batched" ? { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } : {};
const options = (taskList) => ({
  pgPool: pool,
  concurrency: 10,
  noHandleSignals: true,
  logger: quiet,
  taskList,
  preset: { worker },
});
const left = async () => {
  const { rows } = await pool.query("SELECT count(*)::int AS n FROM graphile_worker._private_jobs");
  return rows[0].n;
};

const utils = await makeWorkerUtils({ pgPool: pool, logger: quiet });
await utils.migrate();

// Bulk: a thousand a statement, as SQL offers it.
let begun = now();
for (let done = 0; done < jobs; done += 1000) {
  await pool.query(
    "SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(SELECT json_populate_record(" +
      "NULL::graphile_worker.job_spec, json_build_object('identifier', 'nothing', 'payload', json_build_object('n', i)))" +
      " FROM generate_series(1, 1000) i))",
  );
}
const bulk = jobs / seconds(begun);

// Process: from the worker's start until no row is left.
await pool.query("ANALYZE");
let ran = 0;
let all;
const ended = new Promise((resolve) => (all = resolve));
begun = now();
const runner = await run(
  options({
    nothing: () => {
      ran += 1;
      if (ran === jobs) all();
    },
  }),
);
await ended;
while ((await left()) > 0);
const process_ = jobs / seconds(begun);
await runner.stop();

// Single: ten in flight, each waits for its own commit.
const single_jobs = 3000;
let given = 0;
begun = now();
await Promise.all(
  Array.from({ length: 10 }, async () => {
    while (given++ < single_jobs) await utils.addJob("nothing", { n: given });
  }),
);
const single = single_jobs / seconds(begun);
await pool.query("DELETE FROM graphile_worker._private_jobs");

// Latency: from the call of addJob until the handler runs, one at a time, the worker idle and warm.
let started;
const waiter = await run(options({ nothing: () => started(now()) }));
const latencies = [];
for (let n = 0; n < 320; n += 1) {
  const start = new Promise((resolve) => (started = resolve));
  const from = now();
  await utils.addJob("nothing", { n });
  const took = Number((await start) - from) / 1e6;
  if (n >= 20) latencies.push(took);
  await new Promise((resolve) => setTimeout(resolve, 10));
}
await waiter.stop();
console.log(JSON.stringify({ bulk, process: process_, single, latencies }));
await utils.release();
await pool.end();
