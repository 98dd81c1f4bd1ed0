//! Which type fits which, with type variables. Follows cel-go's `checker/types.go`.

use std::sync::Arc;

use crate::types::Type;

/// What type variables stand for so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Mapping(Vec<(Arc<str>, Type)>);

impl Mapping {
    pub(super) fn find(&self, of: &Type) -> Option<&Type> {
        let Type::Param(name) = of else { return None };
        self.0.iter().find(|(known, _)| known == name).map(|(_, found)| found)
    }

    pub(super) fn add(&mut self, name: Arc<str>, to: Type) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, found)) => *found = to,
            None => self.0.push((name, to)),
        }
    }

    /// Whether the first type can be assigned to the second; what that binds is kept only then.
    pub(super) fn assignable(&mut self, a: &Type, b: &Type) -> bool {
        let mut trial = self.clone();
        let fits = trial.assign(a, b);
        if fits {
            *self = trial;
        }
        fits
    }

    pub(super) fn all_assignable(&mut self, a: &[Type], b: &[Type]) -> bool {
        let mut trial = self.clone();
        let fits = trial.assign_all(a, b);
        if fits {
            *self = trial;
        }
        fits
    }

    fn assign_all(&mut self, a: &[Type], b: &[Type]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.assign(a, b))
    }

    fn assign(&mut self, a: &Type, b: &Type) -> bool {
        if let Type::Param(_) = b {
            match self.substitution(a, b) {
                (true, _) => return true,
                (false, true) => return false,
                _ => {}
            }
        }
        if let Type::Param(_) = a {
            return self.substitution(b, a).0;
        }
        if a.is_dyn_or_error() || b.is_dyn_or_error() {
            return true;
        }
        match (a, b) {
            (Type::Null, other) | (other, Type::Null) => nullable(other),
            (Type::Type(_), Type::Type(_)) => true,
            (Type::List(a), Type::List(b)) => self.assign(a, b),
            (Type::Map(a), Type::Map(b)) => self.assign(&a.0, &b.0) && self.assign(&a.1, &b.1),
            (Type::Opaque(a, a_params), Type::Opaque(b, b_params)) => a == b && self.assign_all(a_params, b_params),
            _ => a == b,
        }
    }

    /// Whether a type can stand for a variable, and whether the variable stands for one already.
    fn substitution(&mut self, of: &Type, variable: &Type) -> (bool, bool) {
        if of == variable {
            return (true, true);
        }
        let Type::Param(name) = variable else { return (false, false) };
        if let Some(known) = self.find(variable).cloned() {
            if *of == known {
                return (true, true);
            }
            if self.assign(of, &known) {
                let general = most_general(of, &known).clone();
                if self.unreferenced(variable, &general) {
                    self.add(name.clone(), general);
                }
                return (true, true);
            }
            return (false, true);
        }
        if self.unreferenced(variable, of) {
            self.add(name.clone(), of.clone());
            return (true, false);
        }
        (false, false)
    }

    /// Whether a variable does not occur in a type.
    fn unreferenced(&self, variable: &Type, within: &Type) -> bool {
        if variable == within {
            return false;
        }
        match within {
            Type::Param(_) => self.find(within).is_none_or(|known| self.unreferenced(variable, known)),
            Type::Opaque(_, params) => params.iter().all(|param| self.unreferenced(variable, param)),
            Type::List(items) => self.unreferenced(variable, items),
            Type::Map(map) => self.unreferenced(variable, &map.0) && self.unreferenced(variable, &map.1),
            Type::Type(Some(inner)) => self.unreferenced(variable, inner),
            _ => true,
        }
    }

    /// A type with its variables replaced; with `free_is_dyn` what is unbound becomes dyn.
    pub(super) fn substitute(&self, of: &Type, free_is_dyn: bool) -> Type {
        if let Some(known) = self.find(of) {
            return self.substitute(known, free_is_dyn);
        }
        match of {
            Type::Param(_) if free_is_dyn => Type::Dyn,
            Type::Opaque(name, params) if !params.is_empty() => {
                Type::Opaque(name.clone(), params.iter().map(|param| self.substitute(param, free_is_dyn)).collect())
            }
            Type::List(items) => Type::list(self.substitute(items, free_is_dyn)),
            Type::Map(map) => Type::map(self.substitute(&map.0, free_is_dyn), self.substitute(&map.1, free_is_dyn)),
            Type::Type(Some(inner)) => Type::Type(Some(self.substitute(inner, free_is_dyn).into())),
            _ => of.clone(),
        }
    }
}

fn nullable(of: &Type) -> bool {
    matches!(of, Type::Null | Type::Opaque(..) | Type::Object(_) | Type::Duration | Type::Timestamp)
}

/// The more general of two types that fit together.
pub(super) fn most_general<'t>(a: &'t Type, b: &'t Type) -> &'t Type {
    if no_more_specific(a, b) { a } else { b }
}

fn no_more_specific(a: &Type, b: &Type) -> bool {
    let wild = |of: &Type| matches!(of, Type::Dyn | Type::Any | Type::Param(_));
    if wild(a) {
        return true;
    }
    if wild(b) {
        return false;
    }
    match (a, b) {
        (Type::Opaque(a, a_params), Type::Opaque(b, b_params)) => {
            a == b && a_params.len() == b_params.len() && a_params.iter().zip(&**b_params).all(|(a, b)| no_more_specific(a, b))
        }
        (Type::List(a), Type::List(b)) => no_more_specific(a, b),
        (Type::Map(a), Type::Map(b)) => no_more_specific(&a.0, &b.0) && no_more_specific(&a.1, &b.1),
        (Type::Type(_), Type::Type(_)) => true,
        _ => a == b,
    }
}
