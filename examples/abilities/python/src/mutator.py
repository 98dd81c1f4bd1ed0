"""Every ability that a binding can grant, in Python: what the policy is told becomes annotations."""

from gatehouse_policy import About, authorizer, cluster, log, mutator


class Abilities:
    about = About(
        name="abilities",
        version="0.1.0",
        description="Writes down what it is told of the cluster.",
        reads=["metadata"],
        writes=["metadata.annotations"],
    )

    def mutate(self, settings, review, patch):
        log.info("asking")
        request = review.request
        owner = cluster.get("", "v1", "configmaps", "owner", namespace=request.namespace)
        if owner is None:
            raise LookupError("no owner")
        names = [one["metadata"]["name"] for one in cluster.list("", "v1", "configmaps", fields=["metadata.name"])]
        account = authorizer.check("get", resource="secrets", service_account=(request.namespace, "web"))
        requester = authorizer.check("get", resource="secrets")
        missing = cluster.get("", "v1", "configmaps", "no", namespace=request.namespace)
        told = {
            "owner": owner["data"]["team"],
            "others": f"{len(names)} {','.join(names)}",
            "may": f"{account.allowed} {requester.allowed}".lower(),
            "missing": "none" if missing is None else "some",
            "who": f"{request.user.name} {','.join(request.user.groups)} {request.operation} {request.time.year}",
        }
        for name, value in told.items():
            patch.set(["metadata", "annotations", name], value)
        try:
            cluster.list("", "v1", "secrets")
        except cluster.ReadError as why:
            patch.warning(str(why))


Mutation = mutator(Abilities())
