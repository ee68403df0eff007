'use strict';

const http = require('node:http');

const VERSION = 1;
const port = process.env.PORT || 3000;

const server = http.createServer((req, res) => {
  if (req.url === '/ready') {
    res.end('ok');
  } else if (req.url.startsWith('/ticker/events')) {
    res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
    let id = 0;
    const timer = setInterval(() => res.write(`id: ${id++}\ndata: ${VERSION}\n\n`), 200);
    req.on('close', () => clearInterval(timer));
  } else {
    res.writeHead(200, { 'Content-Type': 'application/json' });
    res.end(JSON.stringify({ version: VERSION, path: req.url }));
  }
});

// It heeds no SIGTERM, as many do not: a process 1 without a handler runs on until it is killed.
server.listen(port, () => console.log(`listening on ${port}`));
