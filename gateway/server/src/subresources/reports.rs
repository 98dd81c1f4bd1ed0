//! `openreports.io` Reports and ClusterReports: what policies say of objects that are stored, made when it is read.
//! Nothing of it is stored, so that there is nothing to watch.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use model::json::json;
use model::{Status, Value};

use crate::answer::{Answer, Content};
use crate::body::Body;
use crate::call::Call;
use crate::gate::Gate;
use crate::row::Row;

/// Serves a read.
pub(super) fn serve<'a>(
    gate: &'a Arc<Gate>,
    call: &'a mut Call,
    row: &'a Row,
    _body: Body,
) -> BoxFuture<'a, Result<Answer, Status>> {
    async move {
        let reports = gate.policies.as_ref().map(|policies| policies.reports());
        let (namespace, name) = (&*call.info.namespace, &*call.info.name);
        if !name.is_empty() {
            let report = reports.and_then(|reports| reports.get(namespace, name));
            let report = report.ok_or_else(|| Status::not_found(&row.group_resource(), name))?;
            return Ok(Answer::new(200, Content::Status(report)));
        }
        let items = reports.map(|reports| reports.list(row.is_namespaced(), namespace)).unwrap_or_default();
        Ok(Answer::new(200, Content::Status(list(row, items))))
    }
    .boxed()
}

fn list(row: &Row, items: Vec<Value>) -> Value {
    json!({"kind": row.list_kind(), "apiVersion": row.kind().api_version(), "metadata": {}, "items": items})
}
