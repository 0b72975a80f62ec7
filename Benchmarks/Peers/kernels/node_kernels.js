// Node's check of UTF-8, which is simdutf's.
//
//   node_kernels.js FOLDER      prints lines like bench-kernels
'use strict';
const { isUtf8 } = require('buffer');
const fs = require('fs');

const sizes = [16, 125, 1 << 10, 16 << 10, 64 << 10, 1 << 20];
const folder = process.argv[2];

function nanoseconds(count, text) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < count; i++) if (!isUtf8(text)) throw new Error('refused');
    return Number(process.hrtime.bigint() - start);
}

for (const size of sizes) {
    for (const kind of ['ascii', 'json', 'text']) {
        const text = fs.readFileSync(`${folder}/${kind}-${size}`);
        let count = 1;
        while (nanoseconds(count, text) < 500000) count *= 2;
        let best = Infinity;
        for (let i = 0; i < 10; i++) best = Math.min(best, nanoseconds(count, text) / count);
        console.log(JSON.stringify({ peer: 'node isUtf8', work: 'validate', kind, size, ns: best }));
    }
}
