//! Enough of XML to tell whether a picture is well-formed, and to take it apart.

use std::collections::BTreeMap;

/// An element: its name, its attributes, and the text directly inside it.
#[derive(Debug)]
pub struct Element {
    pub name: String,
    pub attributes: BTreeMap<String, String>,
    pub text: String,
}

impl Element {
    /// An attribute, or nothing.
    pub fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    pub fn has_class(&self, class: &str) -> bool {
        self.get("class").split(' ').any(|one| one == class)
    }
}

/// HTML elements without an end.
const VOID: [&str; 2] = ["img", "meta"];

/// All elements in the order of their starts.
///
/// # Panics
/// If the text is not well-formed: unbalanced tags, bare `<` or `&`, attributes without quotes.
pub fn elements(text: &str) -> Vec<Element> {
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = text.strip_prefix("<!doctype html>").unwrap_or(text);
    while let Some(start) = rest.find('<') {
        let inside = unescape(&rest[..start]);
        match open.last() {
            Some(&last) => elements[last].text.push_str(&inside),
            None => assert_eq!(inside.trim(), "", "text outside of the root element"),
        }
        let end = rest[start..].find('>').expect("a tag that does not end") + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop().unwrap_or_else(|| panic!("</{name}> ends nothing"));
            assert_eq!(elements[last].name, name, "tags end in the wrong order");
            continue;
        }
        let element = element(tag.strip_suffix('/').unwrap_or(tag));
        if !tag.ends_with('/') && !VOID.contains(&element.name.as_str()) {
            open.push(elements.len());
        }
        elements.push(element);
    }
    assert!(open.is_empty(), "{} does not end", elements[open[0]].name);
    assert_eq!(rest.trim(), "", "text after the root element");
    elements
}

fn element(tag: &str) -> Element {
    let (name, mut rest) = tag.split_once([' ', '\n']).unwrap_or((tag, ""));
    assert!(name.chars().all(char::is_alphanumeric) && !name.is_empty(), "<{tag}> has no name");
    let mut attributes = BTreeMap::new();
    while !rest.trim().is_empty() {
        let (key, after) = rest
            .split_once("=\"")
            .unwrap_or_else(|| panic!("<{tag}>: {rest} has no value in quotes"));
        let (value, after) = after.split_once('"').expect("a value that does not end");
        let earlier = attributes.insert(key.trim().to_owned(), unescape(value));
        assert!(earlier.is_none(), "<{tag}> has {key} twice");
        rest = after;
    }
    Element { name: name.to_owned(), attributes, text: String::new() }
}

fn unescape(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, after) = part.split_once(';').unwrap_or_else(|| panic!("a bare & in {text}"));
        plain.push(match name {
            "amp" | "#38" => '&',
            "lt" | "#60" => '<',
            "gt" | "#62" => '>',
            "quot" | "#34" => '"',
            "#39" => '\'',
            _ => panic!("&{name}; is not known"),
        });
        plain.push_str(after);
    }
    plain
}
