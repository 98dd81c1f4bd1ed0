//! What a fresh cluster holds, as upstream's bootstrap code makes it: JSON documents with lists of objects by section.
//! Does not write them anywhere (`controllers`).

use model::Value;

/// `clusterRoles`, `clusterRoleBindings`, and with their namespaces `roles`, `roleBindings`.
pub const RBAC: &str = include_str!("../data/rbac.json");
/// `mandatoryFlowSchemas`, `suggestedFlowSchemas`, `mandatoryPriorityLevelConfigurations`, `suggested…`.
pub const FLOWCONTROL: &str = include_str!("../data/flowcontrol.json");
/// `priorityClasses`.
pub const PRIORITY_CLASSES: &str = include_str!("../data/priorityclass.json");

/// The objects of one section of a document, with `apiVersion` and `kind`; none where the document has no such section.
pub fn objects(document: &str, section: &str) -> Vec<Value> {
    let mut whole: Value = serde_json::from_str(document).unwrap_or_default();
    match whole.get_mut(section).map(Value::take) {
        Some(Value::Array(objects)) => objects,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_has_its_objects() {
        for (document, section, kind, at_least) in [
            (RBAC, "clusterRoles", "ClusterRole", 60),
            (RBAC, "clusterRoleBindings", "ClusterRoleBinding", 40),
            (RBAC, "roles", "Role", 5),
            (RBAC, "roleBindings", "RoleBinding", 5),
            (FLOWCONTROL, "mandatoryFlowSchemas", "FlowSchema", 2),
            (FLOWCONTROL, "suggestedFlowSchemas", "FlowSchema", 8),
            (FLOWCONTROL, "mandatoryPriorityLevelConfigurations", "PriorityLevelConfiguration", 2),
            (FLOWCONTROL, "suggestedPriorityLevelConfigurations", "PriorityLevelConfiguration", 5),
            (PRIORITY_CLASSES, "priorityClasses", "PriorityClass", 2),
        ] {
            let found = objects(document, section);
            assert!(found.len() >= at_least, "{section}: {}", found.len());
            assert!(found.iter().all(|o| o["kind"] == kind && o["metadata"]["name"].is_string()), "{section}");
        }
    }
}
