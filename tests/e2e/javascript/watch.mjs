// Watches: the client's informer over an object's life, and a plain watch with bookmarks that its caller ends.
import assert from 'node:assert/strict';
import test from 'node:test';
import { CoreV1Api, Watch, makeInformer } from '@kubernetes/client-node';
import { cluster, namespace, waitFor } from './common.mjs';

const core = cluster.makeApiClient(CoreV1Api);
const path = `/api/v1/namespaces/${namespace}/configmaps`;
const map = (name, data) => ({ metadata: { name, labels: { watched: 'yes' } }, data });

test('an informer sees an object made, changed and deleted', async () => {
  await core.createNamespacedConfigMap({ namespace, body: map('before', {}) });
  const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: 'watched=yes' });
  const informer = makeInformer(cluster, path, list, 'watched=yes');
  const seen = [];
  for (const verb of ['add', 'update', 'delete']) {
    informer.on(verb, (object) => seen.push([verb, object.metadata.name, object.data?.a].join(' ').trim()));
  }
  informer.on('error', (error) => seen.push(`error ${error}`));
  await informer.start();
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'unlabelled' } } });
  await core.createNamespacedConfigMap({ namespace, body: map('watched', { a: '1' }) });
  await core.replaceNamespacedConfigMap({ name: 'watched', namespace, body: map('watched', { a: '2' }) });
  await core.deleteNamespacedConfigMap({ name: 'watched', namespace });
  await waitFor('end of the object', () => seen.some((line) => line.startsWith('delete')));
  await informer.stop();
  assert.deepEqual(seen, ['add before', 'add watched 1', 'update watched 2', 'delete watched 2']);
  assert.equal(informer.get('before', namespace).metadata.name, 'before');
});

test('a watch that starts with what is there, and one from a revision that never was', async () => {
  const phases = [];
  const parameters = { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: true, labelSelector: 'watched=yes' };
  const stop = await new Watch(cluster).watch(path, parameters, (phase, object) => {
    phases.push(phase === 'BOOKMARK' ? Object.keys(object.metadata.annotations ?? {}).join() : `${phase} ${object.metadata.name}`);
  }, () => {});
  await waitFor('end of the first events', () => phases.includes('k8s.io/initial-events-end'));
  stop.abort();
  assert.deepEqual(phases, ['ADDED before', 'k8s.io/initial-events-end']);

  const ended = new Promise((resolve) => {
    new Watch(cluster).watch(path, { resourceVersion: 'nonsense' }, () => {}, resolve);
  });
  assert.equal((await ended).statusCode ?? (await ended).code, 422);
});
