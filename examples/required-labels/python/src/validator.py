"""Objects must carry certain labels, whose values may have to be on a list: policies/required-labels in Python."""

from gatehouse_policy import About, validator


class RequiredLabels:
    about = About(
        name="required-labels",
        version="0.1.0",
        description="Objects must carry certain labels, with values from a list where one is given.",
        reads=["metadata.labels"],
        reads_request=[],
        rules={
            "label-required": "The label must be there.",
            "label-value": "The label must have one of the values listed for it.",
        },
        settings={
            "type": "object",
            "properties": {
                "labels": {
                    "type": "array",
                    "description": "The labels that every object must carry.",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "properties": {
                            "key": {"type": "string", "description": "The label's key, such as team."},
                            "values": {
                                "type": "array",
                                "items": {"type": "string"},
                                "description": "The values it may have; any when absent.",
                            },
                        },
                        "required": ["key"],
                        "additionalProperties": False,
                    },
                },
            },
            "required": ["labels"],
            "additionalProperties": False,
        },
    )

    def check(self, settings, problems):
        for n, label in enumerate(settings["labels"]):
            if label["key"] == "":
                problems.violation("settings", f"labels[{n}].key", "a label needs a key")
            if label.get("values") == []:
                message = "an empty list allows no value at all; leave it out to allow any"
                problems.violation("settings", f"labels[{n}].values", message)

    def validate(self, settings, review, verdict):
        if review.object is None:
            return
        carried = review.object.get("metadata", {}).get("labels", {})
        for label in settings["labels"]:
            key, values = label["key"], label.get("values")
            field = f"metadata.labels[{key}]"
            if key not in carried:
                choice = f"; set it to one of: {', '.join(values)}" if values else ""
                verdict.violation("label-required", field, f'the label "{key}" is required{choice}')
            elif values and carried[key] not in values:
                message = f'the label "{key}" is "{carried[key]}", but must be one of: {", ".join(values)}'
                verdict.violation("label-value", field, message)


Validation = validator(RequiredLabels())
