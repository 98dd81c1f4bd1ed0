//! Cases for negotiation.

use super::*;

fn chosen(accept: &str) -> Option<(Media, Option<String>)> {
    output(accept, Endpoint::Resource).ok().map(|o| (o.media, o.convert.map(|c| c.kind)))
}

#[test]
fn what_has_no_columns_is_no_table() {
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let partial = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
    assert_eq!(output(table, Endpoint::NoColumns).expect_err("406").code, 406);
    assert!(output(partial, Endpoint::NoColumns).is_ok());
    assert!(output(&format!("{table},application/json"), Endpoint::NoColumns).is_ok_and(|output| output.convert.is_none()));
}

#[test]
fn the_best_acceptable_clause_wins() {
    let json = Some((Media::Json, None));
    let yaml = Some((Media::Yaml, None));
    let protobuf = Some((Media::Protobuf, None));
    for (accept, expected) in [
        ("", json.clone()),
        ("*/*", json.clone()),
        ("*", json.clone()),
        ("application/*", json.clone()),
        ("application/yaml", yaml.clone()),
        ("application/json;q=0.5, application/yaml", yaml.clone()),
        ("application/json;q=0.5,application/yaml;q=0.9", yaml.clone()),
        ("*/*,application/yaml", yaml.clone()),
        ("text/html,application/json", json.clone()),
        ("application/vnd.kubernetes.protobuf,application/json", protobuf.clone()),
        ("application/json,application/vnd.kubernetes.protobuf", json.clone()),
        ("application/vnd.kubernetes.protobuf;stream=watch", protobuf.clone()),
        (
            "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json",
            Some((Media::Protobuf, Some("PartialObjectMetadataList".into()))),
        ),
        ("application/json; charset=utf-8", json.clone()),
        ("application/json;sv=v2,application/yaml", yaml),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Some((Media::Json, Some("Table".into())))),
        ("application/json;as=Table;v=v9;g=meta.k8s.io, application/json", json.clone()),
        (
            "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
            Some((Media::Json, Some("PartialObjectMetadataList".into()))),
        ),
        ("application/json;stream=watch", json),
        ("application/yaml;stream=watch", None),
        ("application/json;stream=other", None),
        ("text/html", None),
        ("application", None),
        ("application/vnd.kubernetes.protobuf", protobuf),
    ] {
        assert_eq!(chosen(accept), expected, "{accept}");
    }
}

#[test]
fn refusals_list_what_is_spoken() {
    let refused = output("text/html", Endpoint::Resource).expect_err("406");
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (
            406,
            "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf"
        )
    );
    let refused = streamed(&output("application/yaml", Endpoint::Resource).expect("YAML")).expect_err("406");
    assert_eq!(
        refused.message,
        "only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
    );
    let refused = input("text/plain").expect_err("415");
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (
            415,
            "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf"
        )
    );
}

#[test]
fn tables_only_of_resources() {
    let table = "application/json;as=Table;g=meta.k8s.io;v=v1";
    assert!(output(table, Endpoint::Plain).is_err());
    assert_eq!(output("application/vnd.kubernetes.protobuf", Endpoint::Plain).map(|o| o.media), Ok(Media::Protobuf));
    let discovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    assert!(output(discovery, Endpoint::Resource).is_err());
    let chosen = output(discovery, Endpoint::Discovery).expect("discovery");
    assert_eq!(chosen.content_type(), discovery);
    let discovery = discovery.replace("json", "vnd.kubernetes.protobuf");
    let chosen = output(&format!("{discovery},application/json"), Endpoint::Discovery).expect("discovery");
    assert_eq!(chosen.content_type(), discovery);
}

#[test]
fn bodies() {
    for (header, expected) in [
        ("", Some(Media::Json)),
        ("application/json", Some(Media::Json)),
        ("Application/JSON; charset=UTF-8", Some(Media::Json)),
        ("application/yaml;", Some(Media::Yaml)),
        ("application/vnd.kubernetes.protobuf", Some(Media::Protobuf)),
        ("application/json; charset", None),
        ("application", None),
        ("application/json/x", None),
        ("application/json; a=\"b c\"", Some(Media::Json)),
    ] {
        assert_eq!(input(header).ok(), expected, "{header}");
    }
    let offered = [Patch::Json, Patch::Merge, Patch::Strategic];
    assert_eq!(patch("application/merge-patch+json; charset=utf-8", &offered), Ok(Patch::Merge));
    let refused = patch("application/json", &offered).expect_err("415");
    assert!(
        refused
            .message
            .ends_with("application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json")
    );
}

#[test]
fn people_get_indentation() {
    assert!(wants_pretty(None, "curl/8.0") && wants_pretty(Some("true"), "kubectl") && wants_pretty(Some(""), "Wget/1"));
    assert!(!wants_pretty(Some("0"), "curl/8.0") && !wants_pretty(None, "kubectl/v1.37") && !wants_pretty(Some("yes"), "curl"));
}

#[test]
fn pages_are_text_unless_their_kind_is_asked_for() {
    let chosen =
        |accept: &str| page(accept, "Statusz").map(|output| output.map(|output| output.media)).map_err(|refused| refused.code);
    for accept in ["", "*/*", "text/plain", "application/json,text/plain", "text/*"] {
        assert_eq!(chosen(accept), Ok(None), "{accept}");
    }
    assert_eq!(chosen("application/json;g=config.k8s.io;v=v1beta1;as=Statusz"), Ok(Some(Media::Json)));
    assert_eq!(chosen("application/yaml;g=config.k8s.io;v=v1alpha1;as=Statusz,text/plain"), Ok(Some(Media::Yaml)));
    for accept in ["application/json", "application/json;g=config.k8s.io;v=v1beta1;as=Flagz", "text/html"] {
        assert_eq!(chosen(accept), Err(406), "{accept}");
    }
}

#[test]
fn documents_are_picked_by_the_best_clause() {
    let offered = ["application/json", "application/a.b@v1.0+protobuf"];
    assert_eq!(pick("", &offered), Some(offered[0]));
    assert_eq!(pick("application/a.b@v1.0+protobuf", &offered), Some(offered[1]));
    assert_eq!(pick("application/json;q=0.5,application/a.b@v1.0+protobuf;q=0.9", &offered), Some(offered[1]));
    assert_eq!(pick("image/png, */*;q=0.1", &offered), Some(offered[0]));
    assert_eq!(pick("image/png", &offered), None);
}
