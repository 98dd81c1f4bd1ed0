//! Pods, alone or as templates inside Deployments, Jobs and their siblings: one policy judges all of them, each fault is
//! told at the field where its author wrote it. No policy itself; what a policy demands is in its own crate.

mod container;
pub mod image;
pub mod network;
pub mod quantity;

use std::collections::BTreeMap;
use std::fmt::Display;

use gatehouse_policy::serde::de::{DeserializeOwned, Error};
use gatehouse_policy::serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

pub use container::{Containers, Place, each};

/// A Pod or whatever makes Pods from a template. `S` is the part of `PodSpec` that a policy reads.
#[derive(Debug)]
pub struct Workload<S> {
    /// What makes Pods; `Pod` for one itself.
    pub kind: String,
    /// The Pod's own metadata: the template's, where there is one.
    pub metadata: Metadata,
    /// The Pod's specification.
    pub spec: S,
    /// Where the Pod lies in the object: empty, or `spec.template.` and the like.
    above: &'static str,
}

/// What policies read of `metadata`.
#[derive(Debug, Default, Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
pub struct Metadata {
    /// Labels.
    #[serde(default, deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, deserialize_with = "nullable")]
    pub annotations: BTreeMap<String, String>,
}

impl<S> Workload<S> {
    /// The path of one of the Pod's fields: `spec.containers[0]` is `spec.template.spec.containers[0]` in a Deployment.
    pub fn at(&self, field: impl Display) -> String {
        format!("{}{field}", self.above)
    }

    /// What people call it: `the Pod`, `the Deployment's Pod`.
    pub fn called(&self) -> String {
        if self.kind == "Pod" { "the Pod".to_owned() } else { format!("the {}'s Pod", self.kind) }
    }
}

/// What every kind begins with. The rest is parsed when the kind has told where to look.
#[derive(Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
struct Outer {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: Option<Box<RawValue>>,
    #[serde(default)]
    spec: Option<Box<RawValue>>,
    #[serde(default)]
    template: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Templated {
    template: Option<Box<RawValue>>,
    job_template: Option<Box<RawValue>>,
}

impl<'de, S: DeserializeOwned> Deserialize<'de> for Workload<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(Outer::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<S: DeserializeOwned> Workload<S> {
    fn read(outer: Outer) -> Result<Self, serde_json::Error> {
        let (above, pod) = match &*outer.kind {
            "Pod" => ("", (outer.metadata, outer.spec)),
            "PodTemplate" => ("template.", inner(outer.template)?),
            "CronJob" => {
                let job: Outer = parse(parse::<Templated>(outer.spec)?.job_template)?;
                ("spec.jobTemplate.spec.template.", inner(parse::<Templated>(job.spec)?.template)?)
            }
            "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "ReplicationController" => {
                ("spec.template.", inner(parse::<Templated>(outer.spec)?.template)?)
            }
            other => {
                let why = format!("{other:?} makes no Pods; the binding should not ask about it");
                return Err(serde_json::Error::custom(why));
            }
        };
        Ok(Self { metadata: parse(pod.0)?, spec: parse(pod.1)?, kind: outer.kind, above })
    }
}

/// `metadata` and `spec` of a template.
type Parts = (Option<Box<RawValue>>, Option<Box<RawValue>>);

fn inner(template: Option<Box<RawValue>>) -> Result<Parts, serde_json::Error> {
    let template: Outer = parse(template)?;
    Ok((template.metadata, template.spec))
}

fn parse<T: DeserializeOwned>(raw: Option<Box<RawValue>>) -> Result<T, serde_json::Error> {
    serde_json::from_str(raw.as_deref().map_or("{}", RawValue::get))
}

/// A field that may be `null`, which Go reads as absent.
pub fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The fields that a policy reads of a Pod, wherever a Pod may lie: `containers` are fields of every container, `pod`
/// fields of the Pod.
#[macro_export]
macro_rules! reads {
    (containers: [$($container:literal),*], pod: [$($pod:literal),*]) => {
        &[
            $(
                concat!("spec.containers[*].", $container),
                concat!("spec.initContainers[*].", $container),
                concat!("spec.ephemeralContainers[*].", $container),
                concat!("spec.template.spec.containers[*].", $container),
                concat!("spec.template.spec.initContainers[*].", $container),
                concat!("template.spec.containers[*].", $container),
                concat!("template.spec.initContainers[*].", $container),
                concat!("spec.jobTemplate.spec.template.spec.containers[*].", $container),
                concat!("spec.jobTemplate.spec.template.spec.initContainers[*].", $container),
            )*
            $(
                $pod,
                concat!("spec.template.", $pod),
                concat!("template.", $pod),
                concat!("spec.jobTemplate.spec.template.", $pod),
            )*
        ]
    };
}

#[cfg(test)]
mod tests {
    use gatehouse_policy::prelude::*;

    use super::*;

    fn first(object: Value) -> Result<(String, Option<String>), String> {
        let workload: Workload<Containers<Value>> = serde_json::from_value(object).map_err(|error| error.to_string())?;
        let container = workload.spec.each().next().map(|(place, _)| workload.at(format_args!("spec.{place}.image")));
        Ok((workload.called(), container))
    }

    #[test]
    fn a_fault_is_told_where_the_author_wrote_it() {
        let pod = json!({"metadata": {"labels": null}, "spec": {"containers": [{"name": "c"}]}});
        let with = |kind: &str, object: Value| {
            let mut object = object;
            object["kind"] = json!(kind);
            first(object)
        };
        for (kind, object, called, field) in [
            ("Pod", pod.clone(), "the Pod", "spec.containers[0].image"),
            ("PodTemplate", json!({"template": pod}), "the PodTemplate's Pod", "template.spec.containers[0].image"),
            ("Job", json!({"spec": {"template": pod}}), "the Job's Pod", "spec.template.spec.containers[0].image"),
            (
                "CronJob",
                json!({"spec": {"jobTemplate": {"spec": {"template": pod}}}}),
                "the CronJob's Pod",
                "spec.jobTemplate.spec.template.spec.containers[0].image",
            ),
        ] {
            assert_eq!(with(kind, object), Ok((called.to_owned(), Some(field.to_owned()))));
        }
        assert!(with("Service", json!({"spec": {}})).unwrap_err().contains("makes no Pods"));
        assert_eq!(with("Deployment", json!({"spec": {}})), Ok(("the Deployment's Pod".to_owned(), None)));
    }
}
