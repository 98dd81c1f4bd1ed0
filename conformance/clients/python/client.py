"""Uses a cluster as a program written in Python does; the kubeconfig is the argument. Any surprise ends it with an error."""

import sys
import threading

from kubernetes import client, config, dynamic
from kubernetes.client.exceptions import ApiException
from kubernetes.informer import ADDED, DELETED, MODIFIED, SharedInformer

NAMESPACE = "default"
WAIT_S = 60


def main(kubeconfig):
    api_client = config.new_client_from_config(kubeconfig)
    core, apps = client.CoreV1Api(api_client), client.AppsV1Api(api_client)
    told = Told()
    informer = SharedInformer(core.list_namespaced_config_map, namespace=NAMESPACE, label_selector="client=python")
    for kind in (ADDED, MODIFIED, DELETED):
        informer.add_event_handler(kind, lambda found, kind=kind: told.add(kind, found))
    informer.start()
    maps(core, told)
    informer.stop()
    deployments(apps)
    applied(dynamic.DynamicClient(api_client))


class Told:
    """What the informer said so far."""

    def __init__(self):
        self.changed = threading.Condition()
        self.events = set()

    def add(self, kind, found):
        with self.changed:
            self.events.add((kind, found.metadata.name))
            self.changed.notify_all()

    def wait(self, kind, name):
        with self.changed:
            if not self.changed.wait_for(lambda: (kind, name) in self.events, WAIT_S):
                raise AssertionError(f"the informer never said {kind} {name}, only {self.events}")


def maps(core, told):
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="py", labels={"client": "python"}), data={"a": "1"})
    made = core.create_namespaced_config_map(NAMESPACE, body)
    assert made.metadata.uid and made.data == {"a": "1"}, made
    told.wait(ADDED, "py")
    try:
        core.create_namespaced_config_map(NAMESPACE, body)
        raise AssertionError("the same name was given twice")
    except ApiException as refused:
        assert refused.status == 409 and "AlreadyExists" in refused.body, refused
    merged = core.patch_namespaced_config_map(
        "py", NAMESPACE, {"data": {"a": None, "b": "2"}}, _content_type="application/merge-patch+json"
    )
    assert merged.data == {"b": "2"}, merged
    told.wait(MODIFIED, "py")
    operations = [{"op": "test", "path": "/data/b", "value": "2"}, {"op": "add", "path": "/data/c", "value": "3"}]
    patched = core.patch_namespaced_config_map("py", NAMESPACE, operations, _content_type="application/json-patch+json")
    assert patched.data == {"b": "2", "c": "3"}, patched
    stale = core.read_namespaced_config_map("py", NAMESPACE)
    stale.metadata.resource_version = made.metadata.resource_version
    try:
        core.replace_namespaced_config_map("py", NAMESPACE, stale)
        raise AssertionError("an old version replaced a newer one")
    except ApiException as refused:
        assert refused.status == 409 and "Conflict" in refused.body, refused
    listed = core.list_namespaced_config_map(NAMESPACE, label_selector="client=python", limit=1)
    assert [found.metadata.name for found in listed.items] == ["py"], listed
    core.delete_namespaced_config_map("py", NAMESPACE)
    told.wait(DELETED, "py")


def deployments(apps):
    container = client.V1Container(name="one", image="one:1")
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels={"app": "py"}), spec=client.V1PodSpec(containers=[container])
    )
    spec = client.V1DeploymentSpec(selector=client.V1LabelSelector(match_labels={"app": "py"}), template=template)
    made = apps.create_namespaced_deployment(
        NAMESPACE, client.V1Deployment(metadata=client.V1ObjectMeta(name="py"), spec=spec)
    )
    assert made.spec.replicas == 1 and made.spec.strategy.rolling_update.max_surge == "25%", made
    more = {"spec": {"template": {"spec": {"containers": [{"name": "two", "image": "two:1"}]}}}}
    strategic = apps.patch_namespaced_deployment(
        "py", NAMESPACE, more, _content_type="application/strategic-merge-patch+json"
    )
    assert [found.name for found in strategic.spec.template.spec.containers] == ["two", "one"], strategic
    scale = apps.read_namespaced_deployment_scale("py", NAMESPACE)
    scale.spec.replicas = 3
    assert apps.replace_namespaced_deployment_scale("py", NAMESPACE, scale).spec.replicas == 3
    apps.delete_namespaced_deployment("py", NAMESPACE, propagation_policy="Background")


def applied(anything):
    resource = anything.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "py-applied"}, "data": {"a": "1"}}
    made = resource.server_side_apply(namespace=NAMESPACE, body=body, field_manager="one")
    assert made.metadata.managedFields[0].manager == "one", made
    body["data"] = {"a": "2"}
    try:
        resource.server_side_apply(namespace=NAMESPACE, body=body, field_manager="two")
        raise AssertionError("a field of somebody else's was taken")
    except dynamic.exceptions.ConflictError as refused:
        assert b'conflict with \\"one\\": .data.a' in refused.body.encode(), refused.body
    forced = resource.server_side_apply(namespace=NAMESPACE, body=body, field_manager="two", force_conflicts=True)
    assert forced.data.a == "2", forced
    resource.delete(name="py-applied", namespace=NAMESPACE)


if __name__ == "__main__":
    main(sys.argv[1])
    print("python: all is well")
