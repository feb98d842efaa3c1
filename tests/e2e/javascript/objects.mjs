// Objects: typed and untyped calls, every sort of patch, pages, and errors.
import assert from 'node:assert/strict';
import test from 'node:test';
import { AppsV1Api, CoreV1Api, KubernetesObjectApi, PatchStrategy, VersionApi, setHeaderOptions } from '@kubernetes/client-node';
import { cluster, namespace, refused, waitFor } from './common.mjs';

const core = cluster.makeApiClient(CoreV1Api);
const apps = cluster.makeApiClient(AppsV1Api);
const objects = KubernetesObjectApi.makeApiClient(cluster);

const map = (name, data, labels) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data });
const apply = (object, manager, force) =>
  objects.patch(object, undefined, undefined, manager, force, PatchStrategy.ServerSideApply);

test('the version, and the namespace that was made', async () => {
  assert.match((await cluster.makeApiClient(VersionApi).getCode()).gitVersion, /^v1\.\d+\./);
  assert.equal((await core.readNamespace({ name: namespace })).status.phase, 'Active');
});

test('created, read, replaced, deleted', async () => {
  const made = await core.createNamespacedConfigMap({ namespace, body: map('life', { a: '1' }) });
  assert.ok(made.metadata.creationTimestamp instanceof Date);
  made.data = { a: '2' };
  const replaced = await core.replaceNamespacedConfigMap({ name: 'life', namespace, body: made });
  assert.equal(replaced.data.a, '2');
  assert.notEqual(replaced.metadata.resourceVersion, made.metadata.resourceVersion);
  assert.equal((await core.deleteNamespacedConfigMap({ name: 'life', namespace })).status, 'Success');
  await refused(404, 'NotFound', () => core.readNamespacedConfigMap({ name: 'life', namespace }));
});

test('each sort of patch', async () => {
  await core.createNamespacedConfigMap({ namespace, body: map('patched', { a: '1' }) });
  const patch = (strategy, body) =>
    core.patchNamespacedConfigMap({ name: 'patched', namespace, body }, setHeaderOptions('Content-Type', strategy));
  await patch(PatchStrategy.JsonPatch, [{ op: 'add', path: '/data/b', value: '2' }]);
  await patch(PatchStrategy.MergePatch, { data: { a: null, c: '3' } });
  const last = await patch(PatchStrategy.StrategicMergePatch, { data: { d: '4' } });
  assert.deepEqual(last.data, { b: '2', c: '3', d: '4' });
});

test('server-side apply: two managers, a conflict, force', async () => {
  const first = await apply(map('applied', { a: '1', b: '1' }), 'one');
  assert.deepEqual(first.metadata.managedFields.map((entry) => [entry.manager, entry.operation]), [['one', 'Apply']]);
  const status = await refused(409, 'Conflict', () => apply(map('applied', { a: '2' }), 'two'));
  assert.match(status.message, /conflict with "one": \.data\.a/);
  assert.equal((await apply(map('applied', { a: '2' }), 'two', true)).data.a, '2');
  assert.deepEqual((await apply(map('applied', {}), 'one')).data, { a: '2' });
});

test('a list in pages', async () => {
  for (let n = 0; n < 5; ++n) await core.createNamespacedConfigMap({ namespace, body: map(`page-${n}`, {}, { pages: 'yes' }) });
  const names = [];
  let pages = 0;
  for (let next; next !== ''; ++pages) {
    const page = await core.listNamespacedConfigMap({ namespace, labelSelector: 'pages=yes', limit: 2, _continue: next });
    names.push(...page.items.map((item) => item.metadata.name));
    next = page.metadata._continue ?? '';
  }
  assert.deepEqual([pages, names], [3, [0, 1, 2, 3, 4].map((n) => `page-${n}`)]);
  await refused(400, 'BadRequest', () => core.listNamespacedConfigMap({ namespace, limit: 2, _continue: 'no such place' }));
  const read = await objects.list('v1', 'ConfigMap', namespace, undefined, undefined, undefined, undefined, 'pages=yes');
  assert.equal(read.items.length, 5);
  await core.deleteCollectionNamespacedConfigMap({ namespace, labelSelector: 'pages=yes' });
  assert.equal((await core.listNamespacedConfigMap({ namespace, labelSelector: 'pages=yes' })).items.length, 0);
});

test('errors say what is wrong', async () => {
  await core.createNamespacedConfigMap({ namespace, body: map('twice', {}) });
  await refused(409, 'AlreadyExists', () => core.createNamespacedConfigMap({ namespace, body: map('twice', {}) }));
  const old = map('twice', { a: '1' });
  old.metadata.resourceVersion = '1';
  await refused(409, 'Conflict', () => core.replaceNamespacedConfigMap({ name: 'twice', namespace, body: old }));
  const status = await refused(422, 'Invalid', () => core.createNamespacedConfigMap({ namespace, body: map('Not A Name', {}) }));
  assert.equal(status.details.causes[0].field, 'metadata.name');
  await refused(404, 'NotFound', () => core.createNamespacedConfigMap({ namespace: 'nowhere', body: { metadata: { name: 'x' } } }));
});

test('a deployment: scaled through its subresource, dry-run, deleted with what it owns', async () => {
  const labels = { app: 'js-scaled' };
  const pod = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'web', image: 'sample/web:1' }] } };
  const body = { metadata: { name: 'scaled' }, spec: { replicas: 0, selector: { matchLabels: labels }, template: pod } };
  await apps.createNamespacedDeployment({ namespace, body, dryRun: 'All' });
  await refused(404, 'NotFound', () => apps.readNamespacedDeployment({ name: 'scaled', namespace }));
  await apps.createNamespacedDeployment({ namespace, body });
  assert.equal((await apps.readNamespacedDeploymentScale({ name: 'scaled', namespace })).spec.replicas, 0);
  const one = [{ op: 'replace', path: '/spec/replicas', value: 1 }];
  await apps.patchNamespacedDeploymentScale({ name: 'scaled', namespace, body: one }, setHeaderOptions('Content-Type', PatchStrategy.JsonPatch));
  await waitFor('ready replica', async () => (await apps.readNamespacedDeployment({ name: 'scaled', namespace })).status.readyReplicas === 1);
  await apps.deleteNamespacedDeployment({ name: 'scaled', namespace, propagationPolicy: 'Foreground', gracePeriodSeconds: 0 });
  await waitFor('end of it', async () => (await apps.listNamespacedReplicaSet({ namespace, labelSelector: 'app=js-scaled' })).items.length === 0);
});
