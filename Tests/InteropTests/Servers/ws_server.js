// The interop tests' server on node's ws; README.md tells what it does.
'use strict';

const http = require('http');
const { WebSocketServer } = require('ws');

const records = new Map();

function record(key) {
  if (!records.has(key)) {
    const entry = {};
    entry.promise = new Promise((resolve) => (entry.resolve = resolve));
    records.set(key, entry);
  }
  return records.get(key);
}

function deflateOptions(query) {
  if (query.get('deflate') === 'off') return false;
  const number = (name) => (query.has(name) ? Number(query.get(name)) : undefined);
  return {
    threshold: 0,
    serverNoContextTakeover: query.has('server_no_context_takeover') || undefined,
    clientNoContextTakeover: query.has('client_no_context_takeover') || undefined,
    serverMaxWindowBits: number('server_max_window_bits'),
    clientMaxWindowBits: number('client_max_window_bits'),
  };
}

function sendFragments(socket, data, binary) {
  while (data.length > 1) {
    const count = 1 + Math.floor(Math.random() * (data.length - 1));
    socket.send(data.subarray(0, count), { binary, fin: false });
    data = data.subarray(count);
  }
  socket.send(data, { binary, fin: true });
}

function serve(socket, request, path, query) {
  if (path === '/headers' || path === '/narrow') {
    const lines = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
    }
    socket.send(lines.join('\n'));
  } else if (path === '/close') {
    socket.send('closing');
    socket.close(Number(query.get('code')), query.get('reason') ?? '');
  } else if (path === '/cut') {
    socket.send('cutting', () => socket.terminate());
  } else if (path === '/ping') {
    socket.once('pong', (payload) => socket.send(`pong ${payload}`));
    socket.ping(query.get('payload'));
  } else if (path === '/record') {
    record(query.get('key')).promise.then((text) => socket.send(text));
  }
  socket.on('message', (data, isBinary) => {
    if (query.has('fragments')) sendFragments(socket, data, isBinary);
    else socket.send(data, { binary: isBinary });
  });
  socket.on('close', (code, reason) => {
    if (path === '/recorded') record(query.get('key')).resolve(`${code} ${reason}`);
  });
  socket.on('error', () => {});
}

const server = http.createServer();
server.on('upgrade', (request, stream, head) => {
  const { pathname: path, searchParams: query } = new URL(request.url, 'http://localhost');
  if (path === '/refuse') {
    stream.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 11\r\n\r\nnot for you');
    return;
  }
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: 64 << 20,
    perMessageDeflate: deflateOptions(query),
    handleProtocols: (offered) => {
      const wanted = query.get('protocol');
      if (wanted === null) return offered.values().next().value;
      return offered.has(wanted) ? wanted : false;
    },
  });
  sockets.on('headers', (headers) => {
    if (path !== '/cookie') return;
    headers.push('Set-Cookie: session=abc123; Path=/', 'Set-Cookie: narrow=1; Path=/narrow');
  });
  sockets.handleUpgrade(request, stream, head, (socket) => serve(socket, request, path, query));
});
server.listen(Number(process.argv[2]), '127.0.0.1');
