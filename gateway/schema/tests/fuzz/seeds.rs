//! What damage begins with: small inputs that reach every branch of a reader.

pub(crate) const JSON: &[&[u8]] = &[
    br#"{"a":[1,-2.5,1e3,true,false,null,"x\u00e9\n\ud83d\ude00"],"b":{"c":{}},"a":2}"#,
    br#"[{"kind":"Pod","apiVersion":"v1"}," ",0,9223372036854775807,18446744073709551615,0.1]"#,
    b" \t\r\n\"\\\"\\\\\\/\\b\\f\" ",
];

pub(crate) const YAML: &[&[u8]] = &[
    b"a: 1\nb:\n- x\n- {c: d, e: [1, 2]}\n- on\n- 0o17\n- 017\n- ~\nc: 'it''s'\nd: \"x\\u00e9\\n\"\n",
    b"base: &a {x: 1}\nother:\n  <<: *a\n  y: *a\nlist: [*a, *a]\n",
    b"text: |\n  one\n  two\nfold: >-\n  three\n  four\n? long\n: value\n",
    b"%YAML 1.1\n---\n- 1.5\n- .inf\n- -.5e10\n- 2001-01-01\n- !!str 5\n...\n",
    b"\"quoted\": yes\n\"null\": 'null'\n1: one\ntrue: 1\n'': empty\n",
];

pub(crate) const PODS: &[&[u8]] = &[
    br#"{"metadata":{"name":"p","namespace":"n","labels":{"a":"1"},"annotations":{"b":"2"},"finalizers":["f1","f2"],"creationTimestamp":"2020-01-01T00:00:00Z","ownerReferences":[{"apiVersion":"v1","kind":"K","name":"o","uid":"u","controller":true}],"managedFields":[{"manager":"m","operation":"Update","apiVersion":"v1","time":"2020-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{}}}}]},"spec":{"containers":[{"name":"a","image":"a","env":[{"name":"E1","value":"1"}],"ports":[{"containerPort":80,"protocol":"TCP"}],"resources":{"limits":{"cpu":"100m","memory":"1Gi"}},"livenessProbe":{"httpGet":{"port":"http"},"periodSeconds":5}},{"name":"b","image":"b"}],"volumes":[{"name":"v1","emptyDir":{"sizeLimit":"1Mi"}},{"name":"v2","hostPath":{"path":"/"}}],"tolerations":[{"key":"k","tolerationSeconds":10}],"nodeSelector":{"x":"y"},"priority":0,"hostNetwork":false},"status":{"conditions":[{"type":"Ready","status":"True","lastProbeTime":null}]}}"#,
    br#"{"metadata":{},"spec":{"containers":null,"overhead":{"cpu":"1e3"}},"status":{"startTime":"2020-01-01T02:00:00.5+02:00"}}"#,
];

pub(crate) const FIELDS: &[&[u8]] = &[
    br#"{"f:metadata":{"f:labels":{".":{},"f:a":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:image":{}}}}}"#,
    br#"{"f:list":{"v:\"x\"":{},"v:1":{},"v:1.5":{},"v:null":{},"v:true":{},"i:0":{},"i:12":{}},"f:":{}}"#,
    br#"{"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{},"k:{\"a\":1.5,\"b\":null,\"c\":[1]}":{".":{}}}}"#,
];

pub(crate) const JSON_PATCHES: &[&[u8]] = &[
    br#"[{"op":"add","path":"/metadata/labels/b","value":"x"},{"op":"remove","path":"/spec/volumes/0"}]"#,
    br#"[{"op":"test","path":"/metadata/name","value":"p"},{"op":"replace","path":"/spec/containers/-1/image","value":{"a":[1]}}]"#,
    br#"[{"op":"copy","from":"/spec","path":"/spec/containers/-"},{"op":"move","from":"/metadata/labels","path":"/x~1y~0z"}]"#,
];

pub(crate) const PATCHES: &[&[u8]] = &[
    br#"{"metadata":{"labels":{"a":null,"c":"3"},"$deleteFromPrimitiveList/finalizers":["f1"],"$setElementOrder/finalizers":["f2","f3"],"finalizers":["f3"]}}"#,
    br#"{"spec":{"containers":[{"name":"a","env":[{"name":"E1","$patch":"delete"},{"name":"E2","value":"2"}]},{"$patch":"replace"}],"$setElementOrder/containers":[{"name":"b"},{"name":"a"}]}}"#,
    br#"{"spec":{"volumes":[{"name":"v1","$retainKeys":["name","hostPath"],"hostPath":{"path":"/x"}}],"nodeSelector":{"$patch":"replace","n":"m"},"tolerations":[]}}"#,
    br#"{"spec":{"$patch":"delete"},"status":{"conditions":[{"type":"Ready","status":"False"}]}}"#,
];

pub(crate) const APPLIED: &[&[u8]] = &[
    br#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"n","labels":{"a":"2","c":"3"},"finalizers":["f2","f3"],"ownerReferences":[{"uid":"u","name":"o","kind":"K","apiVersion":"v1"}]},"spec":{"containers":[{"name":"b","image":"c","ports":[{"containerPort":80},{"containerPort":80,"protocol":"UDP"}],"env":[{"name":"E1","value":"2"}]}],"nodeSelector":{},"overhead":{"cpu":"1e3"},"tolerations":[{"key":"k"},{"key":"l"}]}}"#,
    br#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"n","annotations":{"b":"2"}},"spec":{"containers":[{"name":"a","resources":{"limits":{"cpu":"0.1"}},"args":["x","y"]},{"name":"d","image":""}],"volumes":[{"name":"v1","hostPath":{"path":"/x"}}],"topologySpreadConstraints":[{"topologyKey":"z","whenUnsatisfiable":"DoNotSchedule","maxSkew":1}]},"status":{"conditions":[{"type":"Ready","status":"False"}]}}"#,
];

pub(crate) const LABEL_SELECTORS: &[&[u8]] =
    &[b"a=b,c==d,e!=f,!g,h, i in (j,k), l notin (m,), n>1,o<2", b"example.com/a in (x,y),in in (in),notin notin (notin)", b""];

pub(crate) const FIELD_SELECTORS: &[&[u8]] = &[b"metadata.name=a,spec.nodeName!=b,status.phase==c", b"a=\\,\\=\\\\,b=", b""];

pub(crate) const QUANTITIES: &[&[u8]] = &[
    b"1",
    b"-1.5Gi",
    b"+0.0000000001",
    b"1e3",
    b"1E",
    b"100m",
    b"9223372036854775807Ei",
    b".5",
    b"5.",
    b"1.25e-7",
    b"12345678901234567890n",
];
