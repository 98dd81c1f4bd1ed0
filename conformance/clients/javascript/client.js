// Uses a cluster as a program written in JavaScript does; the kubeconfig is the argument. Any surprise ends it with an error.

import assert from 'node:assert/strict';
import { ApiException, AppsV1Api, CoreV1Api, KubeConfig, PatchStrategy, makeInformer, setHeaderOptions } from '@kubernetes/client-node';

const namespace = 'default';
const waitMs = 60_000;

const config = new KubeConfig();
config.loadFromFile(process.argv[2]);
const core = config.makeApiClient(CoreV1Api);
const apps = config.makeApiClient(AppsV1Api);

/** What the informer said so far. */
const told = { events: new Set(), waiting: [] };

function tell(kind, found) {
    told.events.add(`${kind} ${found.metadata.name}`);
    told.waiting.splice(0).forEach((resolve) => resolve());
}

async function wait(event) {
    const late = AbortSignal.timeout(waitMs);
    while (!told.events.has(event)) {
        await new Promise((resolve, reject) => {
            told.waiting.push(resolve);
            late.addEventListener('abort', () => reject(new Error(`the informer never said ${event}, only ${[...told.events]}`)));
        });
    }
}

/** Fails unless the call is refused with this code and reason. */
async function refused(call, code, reason) {
    await assert.rejects(call, (error) => {
        assert.ok(error instanceof ApiException, String(error));
        assert.equal(error.code, code, error.body);
        assert.match(error.body, new RegExp(reason));
        return true;
    });
}

const as = (strategy) => setHeaderOptions('Content-Type', strategy);

async function maps() {
    const labels = { client: 'javascript' };
    const body = { metadata: { name: 'js', labels }, data: { a: '1' } };
    const made = await core.createNamespacedConfigMap({ namespace, body });
    assert.deepEqual(made.data, { a: '1' });
    await wait('add js');
    await refused(core.createNamespacedConfigMap({ namespace, body }), 409, 'AlreadyExists');
    const patch = { name: 'js', namespace };
    const merged = await core.patchNamespacedConfigMap({ ...patch, body: { data: { a: null, b: '2' } } }, as(PatchStrategy.MergePatch));
    assert.deepEqual(merged.data, { b: '2' });
    await wait('update js');
    const operations = [
        { op: 'test', path: '/data/b', value: '2' },
        { op: 'add', path: '/data/c', value: '3' },
    ];
    const patched = await core.patchNamespacedConfigMap({ ...patch, body: operations }, as(PatchStrategy.JsonPatch));
    assert.deepEqual(patched.data, { b: '2', c: '3' });
    const stale = { ...patched, metadata: { ...patched.metadata, resourceVersion: made.metadata.resourceVersion } };
    await refused(core.replaceNamespacedConfigMap({ ...patch, body: stale }), 409, 'Conflict');
    const list = await core.listNamespacedConfigMap({ namespace, labelSelector: 'client=javascript', limit: 1 });
    assert.deepEqual(list.items.map((found) => found.metadata.name), ['js']);
    await core.deleteNamespacedConfigMap(patch);
    await wait('delete js');
}

async function deployments() {
    const labels = { app: 'js' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'one', image: 'one:1' }] } };
    const body = { metadata: { name: 'js' }, spec: { selector: { matchLabels: labels }, template } };
    const made = await apps.createNamespacedDeployment({ namespace, body });
    assert.equal(made.spec.strategy.rollingUpdate.maxSurge, '25%');
    const more = { spec: { template: { spec: { containers: [{ name: 'two', image: 'two:1' }] } } } };
    const named = { name: 'js', namespace };
    const strategic = await apps.patchNamespacedDeployment({ ...named, body: more }, as(PatchStrategy.StrategicMergePatch));
    assert.deepEqual(strategic.spec.template.spec.containers.map((found) => found.name), ['two', 'one']);
    const scale = await apps.readNamespacedDeploymentScale(named);
    scale.spec.replicas = 3;
    assert.equal((await apps.replaceNamespacedDeploymentScale({ ...named, body: scale })).spec.replicas, 3);
    await apps.deleteNamespacedDeployment({ ...named, propagationPolicy: 'Background' });
}

async function applied() {
    const apply = (value, fieldManager, force) => {
        const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'js-applied' }, data: { a: value } };
        return core.patchNamespacedConfigMap({ name: 'js-applied', namespace, body, fieldManager, force }, as(PatchStrategy.ServerSideApply));
    };
    assert.equal((await apply('1', 'one')).metadata.managedFields[0].manager, 'one');
    await refused(apply('2', 'two'), 409, 'conflict with .+one.+: .data.a');
    assert.equal((await apply('2', 'two', true)).data.a, '2');
    await core.deleteNamespacedConfigMap({ name: 'js-applied', namespace });
}

const selector = 'client=javascript';
const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: selector });
const informer = makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list, selector);
for (const kind of ['add', 'update', 'delete']) {
    informer.on(kind, (found) => tell(kind, found));
}
await informer.start();
await maps();
await informer.stop();
await deployments();
await applied();
console.log('javascript: all is well');
process.exit(0);
