// SPDX-License-Identifier: Apache-2.0
//
// send.js http|proto|grpc URL: spans, metrics and logs by OpenTelemetry's SDK for JavaScript over one of
// its three exporters (JSON, protobuf, gRPC). On the standard output, as one JSON document: what the
// SDK handed to the exporters. Numbers without a fraction are sent as ints; JSON keeps that apart.
'use strict';
const [protocol, url] = process.argv.slice(2);
const api = require('@opentelemetry/api');
const { SeverityNumber } = require('@opentelemetry/api-logs');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const traces = require('@opentelemetry/sdk-trace-base');
const metrics = require('@opentelemetry/sdk-metrics');
const logs = require('@opentelemetry/sdk-logs');

const attributes = {
  text: 'é€😀"\\\n', nul: 'a\0b', empty: '', yes: true, no: false, int: 7, minus: -3, zero: 0,
  most: Number.MAX_SAFE_INTEGER, double: 0.1, tiny: 5e-324, texts: ['a', ''], ints: [1, -2],
  doubles: [0.5, -1.25], bools: [true, false],
};
const resource = resourceFromAttributes({ 'service.name': 'js', answer: 42, share: 0.25 });
const seen = { spans: [], points: [], logs: [] };
const ns = ([s, n]) => String(BigInt(s) * 1000000000n + BigInt(n));

function exporterOf(signal, name) {
  const made = require(`@opentelemetry/exporter-${signal}-otlp-${protocol}`)[name];
  return new made({ url: protocol === 'grpc' ? url : `${url}/v1/${signal === 'trace' ? 'traces' : signal}` });
}

/* Keeps what is exported; a failed export ends the program. */
function tee(exporter, keep) {
  const inner = exporter.export.bind(exporter);
  exporter.export = (batch, done) => {
    keep(batch);
    inner(batch, (result) => {
      if (result.code !== 0) {
        console.error(result.error);
        process.exit(1);
      }
      done(result);
    });
  };
  return exporter;
}

const scopeOf = (x) => ({ name: x.instrumentationScope.name, version: x.instrumentationScope.version });

function keepSpans(batch) {
  for (const s of batch) {
    const c = s.spanContext();
    seen.spans.push({ flags: c.traceFlags,
      trace_id: c.traceId, span_id: c.spanId, parent: s.parentSpanContext?.spanId, name: s.name,
      trace_state: c.traceState?.serialize(), kind: api.SpanKind[s.kind].toLowerCase(),
      start: ns(s.startTime), end: ns(s.endTime), status: api.SpanStatusCode[s.status.code].toLowerCase(),
      message: s.status.message, attributes: s.attributes, scope: scopeOf(s),
      events: s.events.map((e) => ({ name: e.name, time: ns(e.time), attributes: e.attributes })),
      links: s.links.map((k) => ({ trace_id: k.context.traceId, span_id: k.context.spanId,
        trace_state: k.context.traceState?.serialize(), flags: k.context.traceFlags, remote: !!k.context.isRemote,
        attributes: k.attributes })),
    });
  }
}

function keepMetrics(batch) {
  for (const of of batch.scopeMetrics) {
    for (const m of of.metrics) {
      for (const p of m.dataPoints) {
        const value = typeof p.value === 'number' ? { value: p.value } : p.value;
        seen.points.push({ name: m.descriptor.name, unit: m.descriptor.unit,
          description: m.descriptor.description, kind: metrics.DataPointType[m.dataPointType],
          is_double: m.descriptor.valueType === api.ValueType.DOUBLE, monotonic: m.isMonotonic,
          start: ns(p.startTime), time: ns(p.endTime), attributes: p.attributes, ...value,
          scope: { name: of.scope.name, version: of.scope.version } });
      }
    }
  }
}

function keepLogs(batch) {
  for (const r of batch) {
    seen.logs.push({ trace_id: r.spanContext?.traceId, span_id: r.spanContext?.spanId,
      time: ns(r.hrTime), observed: ns(r.hrTimeObserved), severity: r.severityNumber ?? 0,
      text: r.severityText, body: r.body, event: r.eventName, attributes: r.attributes,
      scope: scopeOf(r) });
  }
}

function makeSpans(tracer) {
  const remote = { traceId: '0123456789abcdef0123456789abcdef', spanId: 'fedcba9876543210',
    traceFlags: 1, isRemote: true, traceState: api.createTraceState('vendor=a:b') };
  const parent = api.trace.setSpanContext(api.ROOT_CONTEXT, remote);
  for (const kind of [0, 1, 2, 3, 4]) {
    const span = tracer.startSpan(`kind ${kind}`, { kind, attributes }, parent);
    span.addEvent('event', attributes);
    span.setStatus({ code: kind % 3, message: kind % 3 === 2 ? 'läuft nicht' : undefined });
    span.end();
  }
  const root = tracer.startSpan('root', { root: true, links: [{ context: remote, attributes }, { context: remote }] });
  root.recordException(new TypeError('falsch\n'));
  for (let n = 0; n < 100; n++) {
    tracer.startSpan(`child ${n}`, {}, api.trace.setSpan(api.ROOT_CONTEXT, root)).end();
  }
  root.end();
  return root;
}

function makeMetrics(meter) {
  meter.createCounter('counter', { unit: 'By', description: 'bytes' }).add(2.5, attributes);
  meter.createCounter('ints', { valueType: api.ValueType.INT }).add(7);
  meter.createUpDownCounter('ups').add(-3);
  meter.createGauge('gauge').record(0.75);
  const histogram = meter.createHistogram('histogram', { unit: 's' });
  const exp = meter.createHistogram('exp');
  for (const value of [0, 0.5, 3, 700, 1e6]) {
    histogram.record(value);
    exp.record(value, { a: 1 });
  }
  meter.createObservableGauge('heat').addCallback((o) => [1, 2, 3].forEach((core) => o.observe(core / 2, { core })));
}

function makeLogs(logger, span) {
  const context = api.trace.setSpan(api.ROOT_CONTEXT, span);
  for (const body of ['plain', 'ö\0', 5, 0.5, true, ['a', [1]], { a: { b: [1, 'x'] } }]) {
    logger.emit({ body, severityNumber: SeverityNumber.WARN, severityText: 'W', attributes, context });
  }
  logger.emit({ body: 'named', eventName: 'peers.event' });
}

async function main() {
  const tracing = new traces.BasicTracerProvider({ resource, spanProcessors: [
    new traces.BatchSpanProcessor(tee(exporterOf('trace', 'OTLPTraceExporter'), keepSpans))] });
  const root = makeSpans(tracing.getTracer('spans', '1'));
  await tracing.shutdown();
  const reader = new metrics.PeriodicExportingMetricReader({ exportIntervalMillis: 3600000,
    exporter: tee(exporterOf('metrics', 'OTLPMetricExporter'), keepMetrics) });
  const metering = new metrics.MeterProvider({ resource, readers: [reader], views: [
    { instrumentName: 'exp', aggregation: { type: metrics.AggregationType.EXPONENTIAL_HISTOGRAM } }] });
  makeMetrics(metering.getMeter('points', '2'));
  await metering.shutdown();
  const processor = new logs.BatchLogRecordProcessor({ exporter: tee(exporterOf('logs', 'OTLPLogExporter'), keepLogs) });
  const logging = new logs.LoggerProvider({ resource, processors: [processor] });
  makeLogs(logging.getLogger('lines', '3'), root);
  await logging.shutdown();
  console.log(JSON.stringify(seen));
}

main();
