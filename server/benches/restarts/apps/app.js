// A web app as it is written every day: node's own HTTP server with kept connections, no handler for signals.
'use strict';
const { appendFileSync } = require('node:fs');
const { createServer } = require('node:http');

const WORK_MS = 20;
const PADDING = 'x'.repeat(2000);
const note = (line) => appendFileSync(process.env.BENCH_JOURNAL, `${line}\n`);

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  if (pathname === '/work') {
    const id = searchParams.get('id');
    if (request.method === 'POST') note(`post ${id}`);
    request.resume();
    setTimeout(() => response.end(`${id}\n${PADDING}\n`), WORK_MS);
  } else if (pathname === '/env') {
    response.end(JSON.stringify({ pid: process.pid }));
  } else {
    response.writeHead(404).end();
  }
});
server.listen(Number(process.env.PORT), '127.0.0.1', () => note(`ready ${process.pid}`));
