"""Asks what somebody may do, as a SubjectAccessReview does. Needs the grant `authorizer`."""

try:
    from componentize_py_types import Err
    from wit_world.imports import authorizer
except ModuleNotFoundError:  # Outside of a component.
    from ._native import Err, authorizer


class Unknown(Exception):
    """Nobody knows; in a scan there is no requester."""


def check(verb, group="", resource="", subresource="", namespace="", name="", service_account=None):
    """Whether somebody may do something, with `allowed` and `reason`; what is left out is open.

    About a service account when `(namespace, name)` of one is given, about the requester otherwise.
    """
    who = authorizer.Subject_ServiceAccount(service_account) if service_account else authorizer.Subject_Requester()
    try:
        return authorizer.check(who, authorizer.Attributes(verb, group, resource, subresource, namespace, name))
    except Err as error:
        raise Unknown(error.value) from None
