//! The grammar by recursive descent, with the error strategy of cel-go's generated parser: a single stray token is skipped, a
//! single missing one is assumed, anything else ends reading.

use std::sync::Arc;

use super::lex::{Is, Token, shown};
use super::{Parser, Rule, Stop, literal};
use crate::ast::{Entry, Expr, Kind, Literal, StructField, op};
use crate::escape::RESERVED;

type Result<T> = std::result::Result<T, Stop>;

/// What begins an expression.
const FIRST: [Is; 15] = [
    Is::OpenBracket,
    Is::OpenBrace,
    Is::OpenParen,
    Is::Dot,
    Is::Minus,
    Is::Not,
    Is::True,
    Is::False,
    Is::Null,
    Is::Float,
    Is::Int,
    Is::Uint,
    Is::String,
    Is::Bytes,
    Is::Ident,
];

/// What can go on after a whole operand.
const OPERATORS: [Is; 18] = [
    Is::Equals,
    Is::NotEquals,
    Is::In,
    Is::Less,
    Is::LessEquals,
    Is::GreaterEquals,
    Is::Greater,
    Is::And,
    Is::Or,
    Is::OpenBracket,
    Is::Dot,
    Is::Minus,
    Is::Question,
    Is::Plus,
    Is::Star,
    Is::Slash,
    Is::Percent,
    Is::OpenBrace,
];

/// What an unexpected token is called.
#[derive(Clone, Copy, PartialEq)]
enum Stray {
    /// Extraneous where it can be skipped, mismatched elsewhere.
    Skip,
    /// Extraneous in any case, as inside of repetitions.
    Report,
}

impl<'t> Parser<'t, '_> {
    pub(super) fn start(&mut self) -> Result<Expr> {
        let root = self.expr()?;
        self.expect(Is::End)?;
        Ok(root)
    }

    fn now(&self) -> Token<'t> {
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn after(&self) -> Is {
        self.tokens[(self.at + 1).min(self.tokens.len() - 1)].is
    }

    fn take(&mut self) -> Token<'t> {
        let token = self.now();
        self.at += 1;
        token
    }

    fn accept(&mut self, is: Is) -> Option<Token<'t>> {
        (self.now().is == is).then(|| self.take())
    }

    fn syntax(&mut self, message: String) {
        let offset = self.now().offset;
        self.issues.push(Some(offset), format!("Syntax error: {message}"));
    }

    /// The token that must come now.
    fn expect(&mut self, is: Is) -> Result<Token<'t>> {
        let now = self.now();
        if now.is == is {
            return Ok(self.take());
        }
        if self.after() == is && is != now.is && now.is != Is::End {
            self.syntax(format!("extraneous input '{}' expecting {}", shown(now.text), is.name()));
            self.at += 1;
            return Ok(self.take());
        }
        let fits = match is {
            Is::CloseParen | Is::CloseBracket | Is::CloseBrace => OPERATORS.contains(&now.is) || self.follows(now.is),
            Is::Colon => FIRST.contains(&now.is),
            _ => false,
        };
        if fits {
            self.syntax(format!("missing {} at '{}'", is.name(), shown(now.text)));
            return Ok(Token { is, text: "", offset: now.offset });
        }
        self.syntax(format!("mismatched input '{}' expecting {}", shown(now.text), is.name()));
        Err(Stop)
    }

    /// Whether a token can come after the construct being read.
    fn follows(&self, is: Is) -> bool {
        self.follow.last().is_some_and(|follow| follow.contains(&is))
    }

    /// Stops unless an expression or one of these tokens comes.
    fn sync(&mut self, more: &[Is]) -> Result<()> {
        let expected: Vec<Is> = FIRST.iter().chain(more).copied().collect();
        self.sync_among(&expected, Stray::Skip)
    }

    /// Stops unless one of these tokens comes; one stray token before it is skipped.
    fn sync_among(&mut self, expected: &[Is], stray: Stray) -> Result<()> {
        let now = self.now();
        if expected.contains(&now.is) {
            return Ok(());
        }
        let mut sorted = expected.to_vec();
        sorted.sort();
        let names: Vec<_> = sorted.into_iter().map(Is::name).collect();
        let skip = now.is != Is::End && expected.contains(&self.after());
        let kind = if skip || stray == Stray::Report { "extraneous" } else { "mismatched" };
        self.syntax(format!("{kind} input '{}' expecting {{{}}}", shown(now.text), names.join(", ")));
        if !skip {
            return Err(Stop);
        }
        self.at += 1;
        Ok(())
    }

    /// An expression with what may come after it.
    fn nested(&mut self, follow: &'static [Is]) -> Result<Expr> {
        self.follow.push(follow);
        let expr = self.expr();
        self.follow.pop();
        expr
    }

    fn expr(&mut self) -> Result<Expr> {
        self.enter(Rule::Expr)?;
        let condition = self.logic(Is::Or)?;
        let expr = match self.accept(Is::Question) {
            None => condition,
            Some(token) => {
                self.follow.push(&[Is::Colon]);
                let truthy = self.logic(Is::Or);
                let truthy = truthy.and_then(|truthy| self.expect(Is::Colon).map(|_| truthy));
                self.follow.pop();
                let args = vec![condition, truthy?, self.expr()?];
                let call = self.call(token.offset, op::CONDITIONAL, args);
                let depth = call.depth;
                self.deepen(call, depth)?
            }
        };
        self.depths[Rule::Expr as usize] -= 1;
        Ok(expr)
    }

    /// `||` over `&&` over relations; terms of one operator become a balanced tree.
    fn logic(&mut self, operator: Is) -> Result<Expr> {
        let mut terms = Vec::new();
        let mut places = Vec::new();
        loop {
            terms.push(Some(if operator == Is::Or { self.logic(Is::And)? } else { self.relation()? }));
            match self.accept(operator) {
                Some(token) => places.push(token.offset),
                None => break,
            }
        }
        let function = if operator == Is::Or { op::OR } else { op::AND };
        Ok(self.balance(function, &mut terms, &places))
    }

    fn balance(&mut self, function: &'static str, terms: &mut [Option<Expr>], places: &[usize]) -> Expr {
        if places.is_empty() {
            return terms[0].take().unwrap_or_else(|| unreachable!("each term is taken once"));
        }
        let mid = places.len() / 2;
        let (left, right) = terms.split_at_mut(mid + 1);
        let args = vec![self.balance(function, left, &places[..mid]), self.balance(function, right, &places[mid + 1..])];
        self.call(places[mid], function, args)
    }

    fn relation(&mut self) -> Result<Expr> {
        let mut levels = 1;
        self.enter(Rule::Relation)?;
        let mut left = self.calc(0)?;
        loop {
            let function = match self.now().is {
                Is::Less => "_<_",
                Is::LessEquals => "_<=_",
                Is::Greater => "_>_",
                Is::GreaterEquals => "_>=_",
                Is::Equals => op::EQUALS,
                Is::NotEquals => op::NOT_EQUALS,
                Is::In => "@in",
                _ => break,
            };
            self.enter(Rule::Relation)?;
            levels += 1;
            left = self.binary(function, left, 0)?;
        }
        self.depths[Rule::Relation as usize] -= levels;
        Ok(left)
    }

    /// Operators of one precedence and above; the loop makes them bind to the left.
    fn calc(&mut self, precedence: u8) -> Result<Expr> {
        let mut levels = 1;
        self.enter(Rule::Calc)?;
        let mut left = self.unary()?;
        loop {
            let (function, own) = match self.now().is {
                Is::Plus => (op::ADD, 1),
                Is::Minus => ("_-_", 1),
                Is::Star => ("_*_", 2),
                Is::Slash => ("_/_", 2),
                Is::Percent => ("_%_", 2),
                _ => break,
            };
            if own <= precedence {
                break;
            }
            self.enter(Rule::Calc)?;
            levels += 1;
            left = self.binary(function, left, own)?;
        }
        self.depths[Rule::Calc as usize] -= levels;
        Ok(left)
    }

    fn binary(&mut self, function: &'static str, left: Expr, precedence: u8) -> Result<Expr> {
        let token = self.take();
        let right = self.calc(precedence)?;
        let call = self.call(token.offset, function, vec![left, right]);
        let depth = call.depth;
        self.deepen(call, depth)
    }

    fn unary(&mut self) -> Result<Expr> {
        self.sync(&[])?;
        let first = self.now();
        // A sign right before a number belongs to it.
        let signed = first.is == Is::Minus && matches!(self.after(), Is::Int | Is::Float);
        if signed || !matches!(first.is, Is::Not | Is::Minus) {
            return self.member();
        }
        let mut count = 0;
        while self.accept(first.is).is_some() {
            count += 1;
        }
        // After a minus no exclamation mark can come.
        let expected: Vec<Is> = FIRST.into_iter().filter(|is| first.is == Is::Not || *is != Is::Not).collect();
        if first.is == Is::Minus && count == 1 && !expected.contains(&self.now().is) {
            let now = self.now();
            let text = if now.is == Is::End { String::new() } else { shown(now.text) };
            self.syntax(format!("no viable alternative at input '-{text}'"));
            return Err(Stop);
        }
        self.sync_among(&expected, Stray::Report)?;
        let operand = self.member()?;
        if count % 2 == 0 {
            return Ok(operand);
        }
        let function = if first.is == Is::Not { op::NOT } else { op::NEGATE };
        Ok(self.call(first.offset, function, vec![operand]))
    }

    fn member(&mut self) -> Result<Expr> {
        let mut levels = 1;
        self.enter(Rule::Member)?;
        let mut operand = self.primary()?;
        loop {
            let next = match self.now().is {
                Is::Dot => Self::selection,
                Is::OpenBracket => Self::index,
                _ => break,
            };
            self.enter(Rule::Member)?;
            levels += 1;
            operand = next(self, operand)?;
        }
        self.depths[Rule::Member as usize] -= levels;
        Ok(operand)
    }

    fn index(&mut self, operand: Expr) -> Result<Expr> {
        let open = self.take();
        self.sync(&[Is::Question])?;
        let function = if self.accept(Is::Question).is_some() { op::OPT_INDEX } else { op::INDEX };
        let index = self.nested(&[Is::CloseBracket])?;
        self.expect(Is::CloseBracket)?;
        let call = self.call(open.offset, function, vec![operand, index]);
        let depth = call.depth;
        self.deepen(call, depth)
    }

    /// `.field`, `.?field` or `.method(...)`.
    fn selection(&mut self, operand: Expr) -> Result<Expr> {
        let depth = operand.depth;
        let dot = self.take();
        let optional = self.accept(Is::Question).is_some();
        let name = self.now();
        let field: Arc<str> = match name.is {
            Is::Ident => Arc::from(name.text),
            Is::EscapedIdent => Arc::from(&name.text[1..name.text.len() - 1]),
            _ => {
                self.no_field(optional, name);
                return Err(Stop);
            }
        };
        self.at += 1;
        if optional {
            let field = self.literal(name.offset, Literal::String(field));
            let call = self.call(dot.offset, op::OPT_SELECT, vec![operand, field]);
            return self.deepen(call, depth);
        }
        if name.is == Is::Ident && self.now().is == Is::OpenParen {
            let open = self.take();
            let args = self.args()?;
            let depth = args.iter().map(|arg| arg.depth).fold(depth, u16::max);
            let call = self.receiver_call(open.offset, field, operand, args);
            return self.deepen(call, depth);
        }
        let select = self.node(dot.offset, Kind::Select { operand, field, test: false });
        self.deepen(select, depth)
    }

    fn no_field(&mut self, optional: bool, name: Token<'_>) {
        let mark = if optional { ".?" } else { "." };
        let message = match name.is {
            Is::End => format!("no viable alternative at input '{mark}'"),
            // cel-go words reserved words after a dot so.
            Is::True | Is::False | Is::Null if !optional => format!("mismatched input '{}' expecting IDENTIFIER", name.text),
            _ if optional => {
                format!("mismatched input '{}' expecting {{IDENTIFIER, ESC_IDENTIFIER}}", shown(name.text))
            }
            _ => format!("no viable alternative at input '{mark}{}'", shown(name.text)),
        };
        self.syntax(message);
    }

    /// The arguments up to the closing parenthesis.
    fn args(&mut self) -> Result<Vec<Expr>> {
        let mut args = Vec::new();
        self.sync(&[Is::CloseParen])?;
        if self.now().is != Is::CloseParen {
            loop {
                args.push(self.nested(&[Is::Comma, Is::CloseParen])?);
                if self.accept(Is::Comma).is_none() {
                    break;
                }
            }
        }
        self.expect(Is::CloseParen)?;
        Ok(args)
    }

    fn primary(&mut self) -> Result<Expr> {
        let token = self.now();
        match token.is {
            Is::OpenParen => {
                self.at += 1;
                let inner = self.nested(&[Is::CloseParen])?;
                self.expect(Is::CloseParen)?;
                Ok(inner)
            }
            Is::OpenBracket => self.list(),
            Is::OpenBrace => self.map(),
            Is::Dot | Is::Ident => self.name(),
            Is::True | Is::False | Is::Null | Is::Minus | Is::Float | Is::Int | Is::Uint | Is::String | Is::Bytes => {
                self.constant()
            }
            _ => self.sync(&[]).and(Err(Stop)),
        }
    }

    fn constant(&mut self) -> Result<Expr> {
        let first = self.take();
        let token = if first.is == Is::Minus { self.take() } else { first };
        let negative = first.is == Is::Minus;
        let value = match token.is {
            Is::True => Ok(Literal::Bool(true)),
            Is::False => Ok(Literal::Bool(false)),
            Is::Null => Ok(Literal::Null),
            Is::Int => literal::int(token.text, negative),
            Is::Uint => literal::uint(token.text),
            Is::Float => literal::double(token.text, negative),
            Is::String => literal::string(token.text),
            Is::Bytes => literal::bytes(token.text),
            _ => {
                self.at -= 1;
                return self.sync(&[]).and(Err(Stop));
            }
        };
        Ok(match value {
            Ok(value) => self.literal(first.offset, value),
            Err(message) => self.report(first.offset, message),
        })
    }

    /// A variable, a function or a message, with or without a leading dot.
    fn name(&mut self) -> Result<Expr> {
        let first = self.now();
        let dot = self.accept(Is::Dot).is_some();
        let next = self.now();
        // As after other dots, cel-go knows the words for constants apart.
        if dot && !matches!(next.is, Is::Ident | Is::True | Is::False | Is::Null) {
            let text = if next.is == Is::End { String::new() } else { shown(next.text) };
            self.syntax(format!("no viable alternative at input '.{text}'"));
            return Err(Stop);
        }
        let token = self.expect(Is::Ident)?;
        let prefix = if dot { "." } else { "" };
        let ident: Arc<str> = Arc::from(format!("{prefix}{}", token.text));
        if let Some(open) = self.message_follows() {
            return self.message(ident, open);
        }
        let reserved = RESERVED.contains(&token.text);
        if let Some(open) = self.accept(Is::OpenParen) {
            let args = self.args()?;
            if reserved {
                return Ok(self.report(first.offset, format!("reserved identifier: {}", token.text)));
            }
            return Ok(self.global_call(open.offset, ident, args));
        }
        if reserved {
            return Ok(self.report(first.offset, format!("reserved identifier: {}", token.text)));
        }
        Ok(self.node(token.offset, Kind::Ident(ident)))
    }

    /// How many tokens stand before the brace of a message: `a.b.C{`.
    fn message_follows(&self) -> Option<usize> {
        let mut at = self.at;
        while self.tokens.get(at)?.is == Is::Dot && self.tokens.get(at + 1)?.is == Is::Ident {
            at += 2;
        }
        (self.tokens.get(at)?.is == Is::OpenBrace).then_some(at)
    }

    fn message(&mut self, first: Arc<str>, open: usize) -> Result<Expr> {
        let mut name = first.to_string();
        for token in &self.tokens[self.at..open] {
            name.push_str(token.text);
        }
        self.at = open + 1;
        let id = self.places.id(self.tokens[open].offset);
        let mut fields = Vec::new();
        while self.now().is != Is::CloseBrace {
            let optional = self.accept(Is::Question).is_some();
            let field = match self.accept(Is::EscapedIdent) {
                Some(token) => Arc::from(&token.text[1..token.text.len() - 1]),
                None => Arc::from(self.expect(Is::Ident)?.text),
            };
            let colon = self.expect(Is::Colon)?;
            let id = self.places.id(colon.offset);
            let value = self.nested(&[Is::Comma, Is::CloseBrace])?;
            fields.push(StructField { id, name: field, value, optional });
            if self.accept(Is::Comma).is_none() {
                break;
            }
        }
        self.expect(Is::CloseBrace)?;
        Ok(self.node_with(id, Kind::Struct { name: Arc::from(name), fields }))
    }

    fn list(&mut self) -> Result<Expr> {
        let open = self.take();
        let (mut elements, mut optionals) = (Vec::new(), Vec::new());
        self.sync(&[Is::CloseBracket, Is::Comma, Is::Question])?;
        while !matches!(self.now().is, Is::CloseBracket | Is::Comma) {
            if self.accept(Is::Question).is_some() {
                optionals.push(elements.len());
            }
            elements.push(self.nested(&[Is::Comma, Is::CloseBracket])?);
            if !self.goes_on() {
                break;
            }
        }
        self.close(Is::CloseBracket)?;
        let depth = elements.iter().map(|e| e.depth).max().unwrap_or(0);
        let mut list = self.node(open.offset, Kind::List { elements, optionals });
        list.depth = depth;
        Ok(list)
    }

    /// Takes the comma before another element; one at the end is the list's.
    fn goes_on(&mut self) -> bool {
        let more = self.now().is == Is::Comma && (FIRST.contains(&self.after()) || self.after() == Is::Question);
        if more {
            self.at += 1;
        }
        more
    }

    /// The end of a list or map, with or without a comma before it.
    fn close(&mut self, end: Is) -> Result<()> {
        self.sync_among(&[end, Is::Comma], Stray::Skip)?;
        self.accept(Is::Comma);
        self.expect(end).map(|_| ())
    }

    fn map(&mut self) -> Result<Expr> {
        let open = self.take();
        let id = self.places.id(open.offset);
        let mut entries = Vec::new();
        let mut depth = 0;
        self.sync(&[Is::CloseBrace, Is::Comma, Is::Question])?;
        while !matches!(self.now().is, Is::CloseBrace | Is::Comma) {
            let optional = self.accept(Is::Question).is_some();
            let key = self.nested(&[Is::Colon])?;
            self.expect(Is::Colon)?;
            let value = self.nested(&[Is::Comma, Is::CloseBrace])?;
            depth = depth.max(key.depth).max(value.depth);
            entries.push(Entry { key, value, optional });
            if !self.goes_on() {
                break;
            }
        }
        self.close(Is::CloseBrace)?;
        let mut map = self.node_with(id, Kind::Map(entries));
        map.depth = depth;
        Ok(map)
    }
}
