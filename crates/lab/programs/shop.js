// The shop in Node.js: exception, type-error, rejection, rejection-value, string, cause, stack-overflow, system, abort, oom,
// segv, exit/N.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const v8 = require('node:v8');

class OrderNotFound extends Error {
  constructor(id) {
    super(`order ${id} of jane@example.org not found`);
    this.name = 'OrderNotFound';
    this.code = 'E_ORDER';
  }
}

function priceOf(item) {
  return item.price.cents;
}

function total(cart) {
  return cart.reduce((sum, item) => sum + priceOf(item), 0);
}

function loadOrder(id) {
  throw new OrderNotFound(id);
}

function handleRequest(path) {
  return loadOrder(Number(path.split('/')[2]));
}

function countDown(n) {
  return countDown(n - 1) + 1;
}

function eatMemory() {
  v8.setFlagsFromString('--max-old-space-size=64');
  const hoard = [];
  for (;;) hoard.push(new Array(100_000).fill(Math.random()));
}

function crash(how, argument) {
  switch (how) {
    case 'exception': return handleRequest('/orders/42');
    case 'type-error': return total([{ price: { cents: 1 } }, {}]);
    case 'rejection': return void Promise.resolve().then(() => handleRequest('/orders/42'));
    case 'rejection-value': return void Promise.reject({ order: 42 });
    case 'string': throw 'order 42 of jane@example.org not found';
    case 'cause':
      try {
        return handleRequest('/orders/42');
      } catch (error) {
        throw new Error('the request failed', { cause: error });
      }
    case 'stack-overflow': return countDown(0);
    case 'system': return fs.readFileSync('/nonexistent/catalogue');
    case 'abort': return process.abort();
    case 'oom': return eatMemory();
    case 'segv': return process.kill(process.pid, 'SIGSEGV');
    case 'exit': return process.exit(Number(argument ?? 1));
    default: console.error(`no way to crash is called ${how}`);
  }
}

const environment = () => ({ PORT: process.env.PORT, WEBSITE_INSTANCE_ID: process.env.WEBSITE_INSTANCE_ID });

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://shop');
  const [, first, second, third] = url.pathname.split('/');
  response.setHeader('Content-Type', 'text/plain');
  if (first === 'crash') {
    // In a tick of its own, so that the request is still unanswered at the crash.
    setTimeout(() => {
      crash(second, third);
      setTimeout(() => response.end('still alive\n'), 1000);
    }, 20);
  } else if (first === 'orders') response.end(JSON.stringify({ total_cents: total([{ price: { cents: 321 } }]) }));
  else if (first === 'slow') setTimeout(() => response.end('slow\n'), Math.min(url.searchParams.get('ms') ?? 1000, 60_000));
  else if (first === 'env') response.end(JSON.stringify(environment()));
  else if (first === '') response.end('a shop that crashes on request\n');
  else response.writeHead(404).end('no such page\n');
});

server.listen(Number(process.env.PORT ?? 8000), '127.0.0.1', () => {
  console.log(`the shop listens on 127.0.0.1:${server.address().port}`);
  if (process.env.LAB_CRASH) crash(...process.env.LAB_CRASH.split('/'));
});
