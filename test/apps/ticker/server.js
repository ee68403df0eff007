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

// There is no handler for SIGTERM, as many have none.
server.listen(port, () => console.log(`listening on ${port}`));
