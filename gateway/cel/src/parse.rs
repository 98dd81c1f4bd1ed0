//! Text to tree: lexer, recursive descent, macros. Errors carry the words of cel-go's generated parser for the first fault;
//! where that one would go on after skipping tokens, this one stops.

mod lex;
mod literal;
mod macros;
mod syntax;

use std::sync::Arc;

use crate::ast::{Expr, Kind, Literal};
use crate::issue::Issues;

/// cel-go's bound on how deep rules nest.
const DEPTH_MAX: u16 = 250;
/// cel-go's bound on a text's length.
const CHARS_MAX: usize = 100_000;

/// A parsed text: its tree, and where each node begins.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) root: Expr,
    pub(crate) places: Places,
}

/// Offsets (in characters) of nodes by their ids.
#[derive(Debug, Default)]
pub(crate) struct Places(Vec<u32>);

impl Places {
    /// A new id at an offset.
    pub(crate) fn id(&mut self, offset: usize) -> u32 {
        self.0.push(offset as u32);
        (self.0.len() - 1) as u32
    }

    pub(crate) fn offset(&self, id: u32) -> Option<usize> {
        self.0.get(id as usize).map(|&offset| offset as usize)
    }

    /// How many ids there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Nothing in it was wrong, or the issues say what. `binds` where the macro `cel.bind` exists.
pub(crate) fn parse(text: &str, binds: bool, issues: &mut Issues) -> Option<Parsed> {
    let length = text.chars().count();
    if length > CHARS_MAX {
        let message = format!("expression code point size exceeds limit: size: {length}, limit {CHARS_MAX}");
        issues.push(None, message);
        return None;
    }
    let tokens = lex::tokens(text, issues);
    let follow: Vec<&[lex::Is]> = vec![&[lex::Is::End]];
    let mut parser = Parser { tokens, at: 0, places: Places::default(), issues, binds, depths: [0; 4], follow };
    let root = parser.start();
    let places = std::mem::take(&mut parser.places);
    let root = root.ok()?;
    if !issues.is_empty() {
        return None;
    }
    Some(Parsed { root, places })
}

/// The parser stopped; the issues say why.
pub(crate) struct Stop;

/// Rules that count how deep they nest.
#[derive(Clone, Copy)]
enum Rule {
    Expr,
    Relation,
    Calc,
    Member,
}

struct Parser<'t, 'i> {
    tokens: Vec<lex::Token<'t>>,
    at: usize,
    places: Places,
    issues: &'i mut Issues,
    /// Whether the macro `cel.bind` exists.
    binds: bool,
    depths: [u16; 4],
    /// What may come after the expression being read, one entry for each construct around it.
    follow: Vec<&'static [lex::Is]>,
}

impl Parser<'_, '_> {
    fn node(&mut self, offset: usize, kind: Kind) -> Expr {
        let id = self.places.id(offset);
        self.node_with(id, kind)
    }

    /// A node with an id that was taken before its parts were read.
    fn node_with(&mut self, id: u32, kind: Kind) -> Expr {
        Expr { id, depth: 0, kind: Box::new(kind) }
    }

    fn literal(&mut self, offset: usize, literal: Literal) -> Expr {
        self.node(offset, Kind::Literal(literal))
    }

    fn call(&mut self, offset: usize, function: &str, args: Vec<Expr>) -> Expr {
        let depth = args.iter().map(|arg| arg.depth).max().unwrap_or(0);
        let mut call = self.node(offset, Kind::Call { function: Arc::from(function), target: None, args });
        call.depth = depth;
        call
    }

    fn report(&mut self, offset: usize, message: impl Into<String>) -> Expr {
        self.issues.push(Some(offset), message);
        self.node(offset, Kind::Unspecified)
    }

    /// One more level of a node that cel-go's visitor counts.
    fn deepen(&mut self, mut expr: Expr, depth: u16) -> Result<Expr, Stop> {
        expr.depth = depth + 1;
        if expr.depth > DEPTH_MAX {
            self.issues.push(None, "max recursion depth exceeded");
            return Err(Stop);
        }
        Ok(expr)
    }

    fn enter(&mut self, rule: Rule) -> Result<(), Stop> {
        let depth = &mut self.depths[rule as usize];
        *depth += 1;
        if *depth > DEPTH_MAX {
            self.issues.push(None, format!("expression recursion limit exceeded: {DEPTH_MAX}"));
            return Err(Stop);
        }
        Ok(())
    }
}
