//! Where a file can be changed, and into what: small mistakes that a person could have made and that still compile.

use std::ops::Range;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Expr, Item, Lit, Stmt, UnOp};

/// One change of one place of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mutant {
    /// The bytes that it stands in place of.
    pub range: Range<usize>,
    /// The function that it stands in, after its type if it has one.
    pub function: String,
    /// What stands there instead; nothing if the statement is left out.
    pub instead: Option<String>,
    /// What is changed, for people.
    pub what: String,
}

/// Methods that have a like one, which takes the same and gives the same.
const LIKE: [(&str, &str); 18] = [
    ("min", "max"),
    ("max", "min"),
    ("is_some", "is_none"),
    ("is_none", "is_some"),
    ("any", "all"),
    ("all", "any"),
    ("is_some_and", "is_none_or"),
    ("is_none_or", "is_some_and"),
    ("saturating_sub", "saturating_add"),
    ("saturating_add", "saturating_sub"),
    ("checked_sub", "checked_add"),
    ("checked_add", "checked_sub"),
    ("pop_front", "pop_back"),
    ("push_back", "push_front"),
    ("front", "back"),
    ("first", "last"),
    ("pop_first", "pop_last"),
    ("starts_with", "ends_with"),
];

/// Returns all changes of a file, in the order of their places. Tests, what only defects need, constants and macros are left
/// alone.
///
/// # Errors
/// If the text is not Rust.
pub(crate) fn mutants(text: &str) -> syn::Result<Vec<Mutant>> {
    let file = syn::parse_file(text)?;
    let mut finder = Finder { text, owner: String::new(), function: String::new(), found: Vec::new() };
    finder.visit_file(&file);
    finder.found.sort_by_key(|mutant| (mutant.range.start, std::cmp::Reverse(mutant.range.end)));
    Ok(finder.found)
}

struct Finder<'t> {
    text: &'t str,
    /// The type whose `impl` is visited, with `::`.
    owner: String,
    function: String,
    found: Vec<Mutant>,
}

impl Finder<'_> {
    fn text_of(&self, node: &impl Spanned) -> &str {
        &self.text[node.span().byte_range()]
    }

    fn push(&mut self, node: &impl Spanned, instead: Option<String>, what: String) {
        self.found.push(Mutant { range: node.span().byte_range(), function: self.function.clone(), instead, what });
    }

    fn negate(&mut self, condition: &Expr) {
        // A comparison has a change of its own.
        if matches!(condition, Expr::MethodCall(_) | Expr::Call(_) | Expr::Path(_) | Expr::Field(_) | Expr::Macro(_)) {
            let text = self.text_of(condition).to_owned();
            self.push(condition, Some(format!("!({text})")), format!("`{}` is negated", short(&text)));
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, is_const) = match item {
            Item::Fn(item) => (&item.attrs, item.sig.constness.is_some()),
            Item::Impl(item) => (&item.attrs, false),
            Item::Mod(item) => (&item.attrs, false),
            Item::Trait(item) => (&item.attrs, false),
            _ => return,
        };
        if is_const || attributes.iter().any(is_no_rule) {
            return;
        }
        let before = (self.owner.clone(), self.function.clone());
        match item {
            Item::Impl(item) => self.owner = format!("{}::", name_of(&item.self_ty)),
            Item::Trait(item) => self.owner = format!("{}::", item.ident),
            Item::Fn(item) => self.function = item.sig.ident.to_string(),
            _ => {}
        }
        visit::visit_item(self, item);
        (self.owner, self.function) = before;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if item.sig.constness.is_none() && !item.attrs.iter().any(is_no_rule) {
            self.function = format!("{}{}", self.owner, item.sig.ident);
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}

    fn visit_pat(&mut self, _: &'ast syn::Pat) {}

    fn visit_type(&mut self, _: &'ast syn::Type) {}

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_generic_argument(&mut self, _: &'ast syn::GenericArgument) {}

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if let Stmt::Expr(Expr::MethodCall(_) | Expr::Call(_) | Expr::Assign(_), Some(_)) = statement {
            let what = format!("`{}` is left out", short(self.text_of(statement)));
            self.push(statement, None, what);
        }
        if let Stmt::Expr(Expr::Binary(binary), Some(_)) = statement
            && is_assignment(binary.op)
        {
            let what = format!("`{}` is left out", short(self.text_of(statement)));
            self.push(statement, None, what);
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_expr_if(&mut self, expr: &'ast syn::ExprIf) {
        self.negate(&expr.cond);
        visit::visit_expr_if(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if let Some((_, guard)) = &arm.guard {
            self.negate(guard);
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        match expr {
            Expr::Binary(binary) if !has_let(expr) => {
                if let Some(other) = other_operator(binary.op) {
                    let (left, right) = (self.text_of(&binary.left), self.text_of(&binary.right));
                    let instead = format!("{left} {other} {right}");
                    let what = format!("`{}` has `{other}`", short(self.text_of(expr)));
                    self.push(expr, Some(instead), what);
                }
            }
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                let inner = self.text_of(&unary.expr).to_owned();
                let what = format!("`!` of `!{}` is left out", short(&inner));
                self.push(expr, Some(inner), what);
            }
            Expr::Lit(literal) => match &literal.lit {
                Lit::Bool(value) => {
                    let instead = (!value.value).to_string();
                    self.push(expr, Some(instead.clone()), format!("`{}` is `{instead}`", value.value));
                }
                Lit::Int(value) => {
                    if let Ok(number) = value.base10_parse::<u64>() {
                        let instead = format!("{}{}", number.wrapping_add(1), value.suffix());
                        self.push(expr, Some(instead.clone()), format!("`{value}` is `{instead}`"));
                    }
                }
                _ => {}
            },
            Expr::MethodCall(call) => {
                let name = call.method.to_string();
                if let Some((_, like)) = LIKE.iter().find(|(one, _)| *one == name) {
                    let (whole, part) = (expr.span().byte_range(), call.method.span().byte_range());
                    let instead =
                        format!("{}{like}{}", &self.text[whole.start..part.start], &self.text[part.end..whole.end]);
                    self.push(expr, Some(instead), format!("`.{name}()` is `.{like}()`"));
                }
            }
            _ => {}
        }
        visit::visit_expr(self, expr);
    }
}

/// The last name of a type, without what it is generic over.
fn name_of(of: &syn::Type) -> String {
    match of {
        syn::Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default(),
        _ => String::new(),
    }
}

/// Returns whether this marks code of tests, or code that only the defects need which can be switched on.
fn is_no_rule(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return attribute.path().is_ident("test") };
    let condition = list.tokens.to_string();
    list.path.is_ident("cfg") && (condition.contains("test") || condition.contains("\"defects\""))
}

/// A condition with `let` is no value that another can be chosen for.
fn has_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

fn is_assignment(op: BinOp) -> bool {
    matches!(op, BinOp::AddAssign(_) | BinOp::SubAssign(_) | BinOp::BitOrAssign(_) | BinOp::BitAndAssign(_))
}

fn other_operator(op: BinOp) -> Option<&'static str> {
    Some(match op {
        BinOp::Lt(_) => "<=",
        BinOp::Le(_) => "<",
        BinOp::Gt(_) => ">=",
        BinOp::Ge(_) => ">",
        BinOp::Eq(_) => "!=",
        BinOp::Ne(_) => "==",
        BinOp::And(_) => "||",
        BinOp::Or(_) => "&&",
        BinOp::Add(_) => "-",
        BinOp::Sub(_) | BinOp::Mul(_) => "+",
        BinOp::Div(_) => "*",
        _ => return None,
    })
}

/// The text on one line of at most 60 characters.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches(';').to_owned();
    match line.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::comparison("fn f() -> bool { a < b }", &["`a < b` has `<=`"])]
    #[case::both_sides("fn f() -> bool { !a && b }", &["`!a && b` has `||`", "`!` of `!a` is left out"])]
    #[case::number("fn f() -> u8 { 7 }", &["`7` is `8`"])]
    #[case::statement("fn f() { g(x); }", &["`g(x)` is left out"])]
    #[case::method("fn f() { a.min(b) }", &["`.min()` is `.max()`"])]
    #[case::condition("fn f() { if a.b() {} }", &["`a.b()` is negated"])]
    #[case::chain("fn f() { if let Some(a) = b && c == d {} }", &["`c == d` has `!=`"])]
    #[case::constant("const A: u8 = 1;", &[])]
    #[case::constant_function("const fn f() -> u8 { 1 }", &[])]
    #[case::pattern("fn f() { match a { 1 => b, _ => c } }", &[])]
    #[case::of_defects("impl A { #[cfg(feature = \"defects\")] fn f() -> u8 { 1 } }", &[])]
    #[case::tests_own("#[cfg(test)] mod tests { fn f() -> u8 { 1 } }", &[])]
    fn changes_of_a_text(#[case] text: &str, #[case] expected: &[&str]) {
        let found: Vec<String> = mutants(text).unwrap().into_iter().map(|mutant| mutant.what).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn change_knows_its_function() {
        let found = mutants("impl<T> a::B<T> { fn f() -> u8 { 1 } } fn g() -> u8 { 1 }").unwrap();
        assert_eq!(found.iter().map(|mutant| &mutant.function[..]).collect::<Vec<_>>(), ["B::f", "g"]);
    }
}
