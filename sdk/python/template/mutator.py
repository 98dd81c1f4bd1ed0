"""Pods get the labels that a binding lists, unless they have them already."""

from gatehouse_policy import About, mutator


class TYPE:
    about = About(
        name="NAME",
        version="0.1.0",
        description="Gives Pods the labels that the binding lists, unless they have them already.",
        reads=["metadata.labels"],
        # Of a request: where it goes, and what stands here, such as "user". The rest is empty.
        reads_request=[],
        writes=["metadata.labels"],
        rules={"label-default": "A Pod without the label gets it."},
        settings={
            "type": "object",
            "properties": {
                "labels": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                    "description": "The labels, with the values that Pods without them get.",
                },
            },
            "required": ["labels"],
            "additionalProperties": False,
        },
    )

    def mutate(self, settings, review, patch):
        """Changes nothing when it is asked about its own work: the server may ask again after other mutators."""
        if review.object is None:
            return
        present = review.object.get("metadata", {}).get("labels", {})
        for key, value in settings["labels"].items():
            if key not in present:
                patch.set(["metadata", "labels", key], value)


Mutation = mutator(TYPE())
