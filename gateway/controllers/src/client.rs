//! As whom controllers act: the clients that kube-controller-manager makes for them (`cmd/kube-controller-manager/app`).
//! What each may do is in upstream's bootstrap roles.

use std::sync::Arc;

use model::user::AUTHENTICATED;
use model::{User, World};

/// The program that runs these controllers upstream.
pub const PROGRAM: &str = "kube-controller-manager";
/// Where the service accounts of controllers are.
const NAMESPACE: &str = "kube-system";

/// The client of one controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// It acts as a service account of this name.
    Account(&'static str),
    /// It is a part of this name that acts as the program itself.
    Program(&'static str),
}

/// Makes the world of a client.
pub type Clients = Arc<dyn Fn(Client) -> Arc<dyn World> + Send + Sync>;

impl Client {
    /// Who it is. The uid, which a token of upstream's would have, is unknown: nothing here makes the accounts.
    pub fn user(self) -> User {
        match self {
            Self::Account(name) => User::of_service_account(NAMESPACE, name),
            Self::Program(_) => program(),
        }
    }

    /// What stands behind the program in its user agent.
    pub fn part(self) -> String {
        match self {
            Self::Account(_) => self.user().name,
            Self::Program(part) => part.to_owned(),
        }
    }
}

/// The program itself.
pub fn program() -> User {
    User::new(format!("system:{PROGRAM}"), &[AUTHENTICATED])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ALL, OF_EVERYTHING};

    #[test]
    fn every_account_has_a_role_of_upstreams() {
        let roles = catalog::bootstrap::objects(catalog::bootstrap::RBAC, "clusterRoles");
        let has = |name: String| roles.iter().any(|role| model::meta::name(role) == name);
        let clients = ALL.iter().map(|(_, client)| *client).chain(OF_EVERYTHING.iter().map(|(_, client, _)| *client));
        for client in clients {
            match client {
                Client::Account(name) => assert!(has(format!("system:controller:{name}")), "{name}"),
                Client::Program(_) => assert!(has(client.user().name), "{client:?}"),
            }
        }
    }

    #[test]
    fn a_client_says_who_it_is_behind_its_program() {
        let part = Client::Account("namespace-controller").part();
        assert_eq!(part, "system:serviceaccount:kube-system:namespace-controller");
        assert_eq!(Client::Program("tokens-controller").part(), "tokens-controller");
    }
}
