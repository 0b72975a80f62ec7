// Measures Node's validator, which is simdutf; the protocol is that of Sources/main.swift.

import { isUtf8 } from "node:buffer";
import { openSync, readSync, closeSync } from "node:fs";
import { createInterface } from "node:readline";

const contenders = {
  "validate node": (data, times) => {
    for (let i = 0; i < times; i++) {
      if (!isUtf8(data)) throw new Error("not UTF-8");
    }
  },
};

const nanoseconds = () => Number(process.hrtime.bigint());

function measure(run, data, milliseconds) {
  const deadline = nanoseconds() + milliseconds * 1e6;
  let times = 1;
  for (;;) {
    const start = nanoseconds();
    run(data, times);
    if (nanoseconds() - start > 50_000) break;
    times *= 2;
  }
  const batches = [];
  do {
    const start = nanoseconds();
    run(data, times);
    batches.push((nanoseconds() - start) / times);
  } while (nanoseconds() < deadline);
  batches.sort((a, b) => a - b);
  return batches[batches.length >> 1];
}

function load(path, size) {
  const data = Buffer.alloc(size + 1);
  const file = openSync(path);
  readSync(file, data);
  closeSync(file);
  let end = size;
  while (end > 0 && (data[end] & 0xc0) === 0x80) end--;
  return data.subarray(0, end);
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line === "contenders") {
    console.log(Object.keys(contenders).join("\n") + "\n");
  } else {
    const [kernel, name, path, size, milliseconds] = line.split(" ");
    console.log(measure(contenders[`${kernel} ${name}`], load(path, Number(size)), Number(milliseconds)));
  }
}
