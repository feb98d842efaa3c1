// A pod from inside: its log, commands over a WebSocket, a forwarded port.
import assert from 'node:assert/strict';
import test from 'node:test';
import { PassThrough } from 'node:stream';
import { Attach, CoreV1Api, Exec, Log, PortForward } from '@kubernetes/client-node';
import { cluster, namespace, sink, waitFor } from './common.mjs';

const core = cluster.makeApiClient(CoreV1Api);
const body = { metadata: { name: 'web' }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'web', image: 'sample/web:1' }] } };

// The streams of a command and the Status that it ends with.
async function exec(command, { input, tty = false } = {}) {
  const [out, error] = [sink(), sink()];
  const stdin = input === undefined ? null : PassThrough.from([input]);
  const status = await new Promise((resolve, reject) => {
    new Exec(cluster).exec(namespace, 'web', 'web', ['/bin/busybox', ...command], out, tty ? null : error, stdin, tty, resolve).catch(reject);
  });
  return { out: out.text, error: error.text, status };
}

test.before(async () => {
  await core.createNamespacedPod({ namespace, body });
  await waitFor('ready pod', async () => {
    const { status } = await core.readNamespacedPod({ name: 'web', namespace });
    return status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True');
  });
});

let followed;
test('its log, whole and followed', async () => {
  await waitFor('first line', async () => (await core.readNamespacedPodLog({ name: 'web', namespace })).includes('listening on 8080'));
  const lines = sink();
  await new Log(cluster).log(namespace, 'web', 'web', lines, { follow: true, tailLines: 1, timestamps: true });
  await waitFor('last line', () => lines.text.includes('\n'));
  assert.match(lines.text, /^\d{4}-\d\d-\d\dT\S+Z /);
  await exec(['wget', '-q', '-O', '/dev/null', 'http://127.0.0.1:8080/plain']);
  await waitFor('line of the request', () => lines.text.includes('GET /plain'));
  followed = lines;
});

test('a command: output, error output, input, exit code', async () => {
  const said = await exec(['sh', '-c', 'echo out; echo error >&2']);
  assert.deepEqual([said.out, said.error, said.status.status], ['out\n', 'error\n', 'Success']);
  assert.equal((await exec(['cat'], { input: 'through stdin' })).out, 'through stdin');
  const failed = (await exec(['sh', '-c', 'exit 7'])).status;
  assert.deepEqual([failed.status, failed.reason], ['Failure', 'NonZeroExitCode']);
  assert.deepEqual(failed.details.causes, [{ reason: 'ExitCode', message: '7' }]);
  assert.match((await exec(['tty'], { tty: true })).out, /^\/dev\/(pts\/\d+|console)\r\n$/);
  const megabyte = await exec(['sh', '-c', 'head -c 1000000 /dev/zero | tr "\\0" x']);
  assert.equal(megabyte.out.length, 1_000_000);
});

test('attached to its output', async () => {
  const lines = sink();
  const socket = await new Attach(cluster).attach(namespace, 'web', 'web', lines, null, null, false);
  await waitFor('line of a request', async () => {
    await exec(['wget', '-q', '-O', '/dev/null', 'http://127.0.0.1:8080/plain']);
    return lines.text.includes('GET /plain');
  });
  socket.close();
});

test('a forwarded port', async () => {
  const [answer, error, request] = [sink(), sink(), new PassThrough()];
  const socket = await new PortForward(cluster).portForward(namespace, 'web', [8080], answer, error, request);
  request.write('GET /plain HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n');
  await waitFor('answer', () => answer.text.includes('\r\n\r\n'));
  assert.match(answer.text, /^HTTP\/1\.[01] 200 /);
  assert.equal(error.text, '');
  socket.close();
});

test('a pod that is not there', async () => {
  const open = new Exec(cluster).exec(namespace, 'none', 'web', ['true'], sink(), null, null, false);
  await assert.rejects(open, (event) => /response: 404/.test(event.message));
});

test('deleted: the log that is followed ends', async () => {
  await core.deleteNamespacedPod({ name: 'web', namespace });
  await waitFor('end of the log', () => followed.writableEnded);
});
