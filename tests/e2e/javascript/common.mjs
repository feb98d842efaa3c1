// What the tests share: the cluster of KUBECONFIG, the namespace that the caller made, waiting with a deadline.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { ApiException, KubeConfig } from '@kubernetes/client-node';

export const cluster = new KubeConfig();
cluster.loadFromDefault();
export const namespace = process.env.NAMESPACE;

export async function waitFor(what, condition, seconds = 30) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await pause(50)) {
    const value = await condition();
    if (value) return value;
  }
  assert.fail(`no ${what} within ${seconds} s`);
}

// What the server says to a request that it refuses: a Status, as every client of Kubernetes expects it.
export async function refused(code, reason, request) {
  const error = await request().then(() => assert.fail(`not refused; ${code} was expected`), (error) => error);
  assert.ok(error instanceof ApiException, String(error));
  const status = typeof error.body === 'string' ? JSON.parse(error.body) : error.body;
  assert.deepEqual([error.code, status.kind, status.code, status.reason], [code, 'Status', code, reason], status.message);
  return status;
}

// A stream that keeps what is written to it.
export function sink() {
  const stream = new PassThrough();
  stream.text = '';
  stream.on('data', (piece) => (stream.text += piece));
  return stream;
}
