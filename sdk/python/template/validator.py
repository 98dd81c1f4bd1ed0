"""Containers must name the version of their image: the tags that a binding lists are refused."""

from gatehouse_policy import About, validator


class TYPE:
    about = About(
        name="NAME",
        version="0.1.0",
        description="Images must be named with a tag that says which version they are.",
        reads=["spec.containers[*].image"],
        # Of a request: where it goes, and what stands here, such as "user". The rest is empty.
        reads_request=[],
        rules={"tag-forbidden": "The image's tag must not be one of those that the binding forbids."},
        settings={
            "type": "object",
            "properties": {
                "forbiddenTags": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Tags that no image may have.",
                },
            },
            "required": ["forbiddenTags"],
            "additionalProperties": False,
        },
    )

    def validate(self, settings, review, verdict):
        if review.object is None:
            return
        for n, container in enumerate(review.object["spec"]["containers"]):
            image = container.get("image", "")
            if tag(image) in settings["forbiddenTags"]:
                message = f'the image "{image}" has the tag "{tag(image)}"; name the version you mean'
                verdict.violation("tag-forbidden", f"spec.containers[{n}].image", message)


def tag(image):
    """An image without a tag is `latest`; one with a digest needs no tag."""
    name = image.rsplit("/", 1)[-1]
    if "@" in name:
        return ""
    return name.split(":", 1)[1] if ":" in name else "latest"


Validation = validator(TYPE())
