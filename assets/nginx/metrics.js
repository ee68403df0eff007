// What nginx has answered, as Prometheus reads it. The counters are in a zone of
// shared memory: all workers add to the same ones, and a reload keeps them.

// In seconds. The application's histogram has the same (docs/application.md).
const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

// Anything may stand there; a label must not take every value that a client invents.
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

const REQUESTS = 'nginx_http_requests_total';
const DURATION = 'nginx_http_request_duration_seconds';

// counted is asked for when a request's line is written to the log, so once for
// each that has one. The deploy's own requests are nobody's.
function counted(r) {
  const v = r.variables;
  if (v.candidate || v.unlisted === '1') {
    return '1';
  }
  const counters = ngx.shared.metrics;
  const status = v.status;
  const method = methods.includes(r.method) ? r.method : 'other';
  counters.incr(`${REQUESTS}{method="${method}",status="${status}"}`, 1, 0);
  if (status === '101') { // a WebSocket takes as long as it is open
    return '1';
  }
  const seconds = Number(v.request_time);
  let i = 0;
  while (i < bounds.length && seconds > bounds[i]) {
    i++;
  }
  counters.incr(`bucket ${i}`, 1, 0);
  counters.incr('seconds', seconds, 0);
  return '1';
}

function show(r) {
  const lines = [];
  const v = r.variables;
  ['active', 'reading', 'writing', 'waiting'].forEach((state) => {
    const name = `nginx_connections_${state}`;
    lines.push(`# HELP ${name} Connections of clients.`, `# TYPE ${name} gauge`, `${name} ${v['connections_' + state]}`);
  });
  const counters = ngx.shared.metrics;
  const labelled = counters.keys(1000).filter((key) => key.startsWith(REQUESTS)).sort();
  lines.push(`# HELP ${REQUESTS} Requests answered, but for static files and health checks.`, `# TYPE ${REQUESTS} counter`);
  labelled.forEach((key) => lines.push(`${key} ${counters.get(key)}`));
  lines.push(`# HELP ${DURATION} From the first byte of a request to the last of its answer.`, `# TYPE ${DURATION} histogram`);
  let count = 0;
  for (let i = 0; i <= bounds.length; i++) {
    count += counters.get(`bucket ${i}`) || 0;
    lines.push(`${DURATION}_bucket{le="${i < bounds.length ? bounds[i] : '+Inf'}"} ${count}`);
  }
  lines.push(`${DURATION}_sum ${counters.get('seconds') || 0}`, `${DURATION}_count ${count}`);
  r.headersOut['Content-Type'] = 'text/plain; version=0.0.4';
  r.return(200, lines.join('\n') + '\n');
}

export default { counted, show };
