//! What upstream does with some resources that no column of their rows says: what its answers call them and warn of.
//! Knows no verb.

use catalog::facts;
use model::GroupResource;

use super::Row;

impl Row {
    /// The kind where a resource is expected, as upstream's failed preconditions name it.
    pub fn kind_as_resource(&self) -> GroupResource {
        let kind = self.stored_kind();
        GroupResource { group: kind.group.clone(), resource: kind.kind.clone() }
    }

    /// The Go type that upstream's program holds the objects in, or their list; one of its refusals names it.
    pub fn go_type(&self, suffix: &str) -> String {
        let group = &*self.resource.gvk.group;
        let package = match group.split('.').next().unwrap_or("") {
            _ if self.resource.shape.structural().is_some() => return format!("*unstructured.Unstructured{suffix}"),
            "" | "events" => "core",
            first => first,
        };
        format!("*{package}.{}{suffix}", self.resource.gvk.kind)
    }

    /// What is said of every body that cannot be read, where upstream fails to tell what is wrong with it.
    pub fn unread(&self) -> Option<&'static str> {
        self.facet?.unread
    }

    /// What every answer warns of, when clients should leave the resource.
    pub fn deprecation(&self) -> Option<&'static str> {
        facts::deprecation(&self.resource.gvr.group, self.plural())
    }

    /// Whether finalizers without a domain must be Kubernetes' own.
    pub fn qualifies_finalizers(&self) -> bool {
        self.resource.shape.struct_type().is_some() && facts::qualifies_finalizers(&self.resource.gvr.group, self.plural())
    }
}
