//! Requests about no resource: discovery, OpenAPI, and what `endpoints` serves.
//! The bytes are the catalog's; here they are found and sent.

use model::Status;

use crate::answer::{Answer, Content};
use crate::call::Call;
use crate::gate::Gate;

/// Serves a request that is about no resource.
pub fn run(gate: &Gate, call: &mut Call) -> Result<Answer, Status> {
    let query = call.uri.split_once('?').map_or("", |(_, query)| query);
    if let Some(response) = gate.endpoints.answer(&gate.metrics, &call.method, &call.info.path, query) {
        return Ok(Answer::new(response.status().as_u16(), Content::Response(response)));
    }
    Ok(Answer::not_found())
}
