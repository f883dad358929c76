// ioredis against a server: what Node programs do with it.
//
// Run by `run.py --suite ioredis`: node client_ioredis.mjs PORT PATH_OF_NODE_MODULES
// Prints one line a check, exits 1 if any failed.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const port = Number(process.argv[2]);
const require = createRequire(process.argv[3] + "/");
const { Redis } = require("ioredis");

const connect = (options = {}) =>
  new Redis({ port, host: "127.0.0.1", maxRetriesPerRequest: 1, commandTimeout: 30000, ...options });

const checks = {
  async "ready check reads INFO"(r) {
    assert.equal(await r.ping(), "PONG");
    assert.equal(r.status, "ready");
  },
  async "strings"(r) {
    assert.equal(await r.set("k", "v"), "OK");
    assert.equal(await r.get("k"), "v");
    assert.equal(await r.get("none"), null);
    assert.equal(await r.append("k", "w"), 2);
    assert.equal(await r.getrange("k", 0, -1), "vw");
    assert.equal(await r.getset("k", "x"), "vw");
    assert.equal(await r.getdel("k"), "x");
  },
  async "SET options"(r) {
    assert.equal(await r.set("k", "1", "EX", 100, "NX"), "OK");
    assert.equal(await r.set("k", "2", "NX"), null);
    assert.equal(await r.set("k", "3", "XX", "GET"), "1");
    assert.equal(await r.set("k", "4", "KEEPTTL"), "OK");
    assert.equal(await r.ttl("k"), -1);
  },
  async "buffers in and out"(r) {
    const value = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await r.set(Buffer.from([0, 255, 13, 10]), value);
    assert.deepEqual(await r.getBuffer(Buffer.from([0, 255, 13, 10])), value);
  },
  async "counters"(r) {
    assert.equal(await r.incr("n"), 1);
    assert.equal(await r.incrby("n", 10), 11);
    assert.equal(await r.incrbyfloat("n", 0.5), "11.5");
    await assert.rejects(r.incr("n"), /not an integer/);
  },
  async "mset and mget"(r) {
    assert.equal(await r.mset({ a: 1, b: 2 }), "OK");
    assert.deepEqual(await r.mget("a", "none", "b"), ["1", null, "2"]);
  },
  async "expiry"(r) {
    await r.set("k", "v");
    assert.equal(await r.expire("k", 100), 1);
    assert.ok((await r.pttl("k")) > 90000);
    assert.equal(await r.persist("k"), 1);
    assert.equal(await r.pexpireat("k", 4102444800000), 1);
    assert.equal(await r.expiretime("k"), 4102444800);
  },
  async "scan stream sees every key"(r) {
    const pipeline = r.pipeline();
    for (let i = 0; i < 1000; i++) pipeline.set(`s:${i}`, i);
    await pipeline.exec();
    const seen = new Set();
    for await (const keys of r.scanStream({ match: "s:*", count: 50 })) keys.forEach((k) => seen.add(k));
    assert.equal(seen.size, 1000);
  },
  async "bits"(r) {
    assert.equal(await r.setbit("b", 7, 1), 0);
    assert.equal(await r.bitcount("b"), 1);
    assert.equal(await r.bitpos("b", 1), 7);
    assert.deepEqual(await r.bitfield("b", "GET", "u8", 0, "SET", "u8", 0, 255), [1, 1]);
  },
  async "pipeline order and errors in place"(r) {
    await r.set("s", "abc");
    const got = await r.pipeline().set("a", 1).incr("s").get("a").exec();
    assert.deepEqual(got[0], [null, "OK"]);
    assert.match(got[1][0].message, /not an integer/);
    assert.deepEqual(got[2], [null, "1"]);
  },
  async "a long pipeline"(r) {
    const pipeline = r.pipeline();
    for (let i = 0; i < 10000; i++) pipeline.set(`p:${i}`, i).get(`p:${i}`);
    const got = await pipeline.exec();
    assert.equal(got.length, 20000);
    assert.ok(got.every(([error, value], i) => error === null && (i % 2 === 0 ? value === "OK" : value === String((i - 1) / 2))));
  },
  async "automatic pipelining"() {
    const r = connect({ enableAutoPipelining: true });
    const got = await Promise.all(Array.from({ length: 500 }, (_, i) => r.set(`auto:${i}`, i).then(() => r.get(`auto:${i}`))));
    assert.deepEqual(got, Array.from({ length: 500 }, (_, i) => String(i)));
    r.disconnect();
  },
  async "key prefix"() {
    const r = connect({ keyPrefix: "pre:" });
    await r.set("k", "v");
    r.disconnect();
    const plain = connect();
    assert.equal(await plain.get("pre:k"), "v");
    plain.disconnect();
  },
  async "another database"() {
    const r = connect({ db: 3 });
    await r.set("k", "three");
    assert.equal(await r.get("k"), "three");
    await r.select(4);
    assert.equal(await r.get("k"), null);
    r.disconnect();
  },
  async "connection name"() {
    const r = connect({ connectionName: "worker" });
    assert.equal(await r.client("GETNAME"), "worker");
    assert.match(await r.client("LIST"), /name=worker/);
    r.disconnect();
  },
  async "reconnects after being killed"() {
    const r = connect({ maxRetriesPerRequest: 20, retryStrategy: () => 50 });
    r.on("error", () => {});
    const id = await r.client("ID");
    const other = connect();
    await other.client("KILL", "ID", id);
    assert.equal(await r.ping(), "PONG");
    assert.notEqual(await r.client("ID"), id);
    r.disconnect();
    other.disconnect();
  },
  async "commands unknown to the server"(r) {
    await assert.rejects(r.call("NOSUCH", "a"), /unknown command/);
    await assert.rejects(r.call("GET"), /wrong number of arguments for 'get' command/);
  },
  async "config and info"(r) {
    const got = await r.config("GET", "maxmemory");
    assert.deepEqual(got, ["maxmemory", "0"]);
    assert.match(await r.info("server"), /redis_version:/);
    assert.match(await r.info(), /connected_clients:/);
  },
  async "command table"(r) {
    const keys = await r.command("GETKEYS", "MSET", "a", 1, "b", 2);
    assert.deepEqual(keys, ["a", "b"]);
    const [get] = await r.command("INFO", "GET");
    assert.equal(get[0], "get");
    assert.equal(get[1], 2);
  },
  async "quit closes politely"() {
    const r = connect();
    assert.equal(await r.quit(), "OK");
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  const r = connect();
  r.on("error", () => {});
  try {
    await r.flushall();
    await check(r);
    console.log(`ok ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${String(error.message).split("\n").slice(0, 6).join(" ")}`);
  } finally {
    r.disconnect();
  }
}
process.exit(failed ? 1 : 0);
