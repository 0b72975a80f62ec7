// node's ws.
//
//   client.js URL send|recv|rtt binary|text SIZE COUNT
'use strict';
const fs = require('fs');
const WebSocket = require('ws');

const [url, operation, type] = process.argv.slice(2, 5);
const [size, count] = process.argv.slice(5, 7).map(Number);
const folder = process.env.WSBENCH_DATA;
const payload = folder
    ? fs.readFileSync(`${folder}/${type}-${size}`).subarray(0, size)
    : Buffer.from(Array.from({ length: size }, (_, i) => (type === 'text' ? 97 + (i % 26) : i % 251)));
// A string for text, since that is what a user has.
const message = type === 'text' ? payload.toString() : payload;
const highWater = 1 << 20;

// Does the job on a connection of its own; `done` gets the line of JSON.
function run(done) {
    const socket = new WebSocket(url, {
        rejectUnauthorized: false,
        perMessageDeflate: url.includes('deflate=1') ? { threshold: 0 } : false,
        maxPayload: 1 << 30,
    });
    const times = [];
    let received = 0, start, usage, sent;

    function finish() {
        const seconds = Number(process.hrtime.bigint() - start) / 1e9;
        const spent = process.cpuUsage(usage);
        const line = {
            peer: 'node ws', op: operation, type, size, count, seconds,
            user_cpu: spent.user / 1e6, sys_cpu: spent.system / 1e6,
        };
        if (operation === 'rtt') {
            times.sort((a, b) => a - b);
            line.p50_us = times[Math.floor(times.length / 2)];
            line.p99_us = times[Math.floor((times.length * 99) / 100)];
        }
        socket.on('close', () => done(line));
        socket.close();
    }

    // Sends until much is waiting, and goes on when that has gone.
    function sendSome(left) {
        while (left > 0 && socket.bufferedAmount < highWater) {
            left -= 1;
            socket.send(message);
        }
        if (left > 0) setImmediate(sendSome, left);
    }

    function ping() {
        sent = process.hrtime.bigint();
        socket.send(message);
    }

    socket.on('error', fail);
    socket.on('open', () => {
        usage = process.cpuUsage();
        start = process.hrtime.bigint();
        if (operation === 'send') sendSome(count);
        else if (operation === 'recv') socket.send('go');
        else ping();
    });
    socket.on('message', (data, isBinary) => {
        received += 1;
        if (operation === 'send') {
            if (!data.toString().startsWith('done')) fail(`the server says ${data}`);
            return finish();
        }
        if (data.length !== size) fail('received another size');
        if (!isBinary) data = data.toString();
        if (operation === 'rtt') times.push(Number(process.hrtime.bigint() - sent) / 1e3);
        if (received === count) finish();
        else if (operation === 'rtt') ping();
    });
}

function fail(reason) {
    console.error(`node-ws: ${reason}`);
    process.exit(1);
}

// The compiler of this machine learns while it runs: the job is done until a second has passed, and
// then once more, which counts.
const began = Date.now();
(function next() {
    const isWarm = Date.now() - began >= 1000;
    run((line) => (isWarm ? console.log(JSON.stringify(line)) : next()));
})();
