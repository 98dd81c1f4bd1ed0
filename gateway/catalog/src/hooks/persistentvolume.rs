//! PersistentVolume. Upstream: `pkg/apis/core/v1/defaults.go`. Its validation is listed in `conformance/gaps/kinds.txt`.

use model::Value;

use super::Hooks;
use super::rules::get;

pub(super) const HOOKS: Hooks = Hooks { default: Some(default), ..Hooks::NONE };

/// Not rows, because a volume described inside a VolumeAttachment has the same type and gets neither.
fn default(object: &mut Value) {
    if let Some(spec) = object.get_mut("spec").filter(|spec| spec.is_object()) {
        if get::text(spec, "persistentVolumeReclaimPolicy").is_empty() {
            get::set(spec, "persistentVolumeReclaimPolicy", "Retain");
        }
        get::default(spec, "volumeMode", "Filesystem");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_volume_is_kept_and_holds_files_unless_it_says() {
        let mut volume = json!({"spec": {}});
        super::default(&mut volume);
        assert_eq!(volume["spec"], json!({"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"}));
        let said = json!({"spec": {"persistentVolumeReclaimPolicy": "Delete", "volumeMode": "Block"}});
        let mut volume = said.clone();
        super::default(&mut volume);
        assert_eq!(volume, said);
    }
}
