//! Inspects pages with axe-core, the accessibility checker, and checks that they fit into the window.

use std::{fs, sync::OnceLock};

use serde_json::{Value, json};

use super::{Site, named_path};

/// Window widths in pixels in which every page must work: a screen and a small phone.
pub(crate) const WIDTHS: [u32; 2] = [1280, 360];

/// The colour schemes that users may prefer.
pub(crate) const SCHEMES: [&str; 2] = ["light", "dark"];

impl Site {
    /// Sets the width of the window and the preferred colour scheme.
    pub(crate) fn set_appearance(&self, width: u32, height: u32, scheme: &str) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.browser
            .devtools("Emulation.setDeviceMetricsOverride", &metrics);
        // Animations are off, because colours in transition have no contrast of their own.
        let media = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.browser.devtools("Emulation.setEmulatedMedia", &media);
    }

    /// Returns the faults of the current page in every width and colour scheme, with its expandable elements closed
    /// and open. `name` identifies the page in the result.
    pub(crate) fn inspect(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        for is_open in [false, true] {
            if is_open && !self.open_everything() {
                continue;
            }
            for width in WIDTHS {
                for scheme in SCHEMES {
                    self.set_appearance(width, 800, scheme);
                    let opened = if is_open { ", opened" } else { "" };
                    let mode = format!("{name} ({scheme}, {width} px{opened})");
                    found.extend(self.sideways().map(|what| format!("{mode}: {what}")));
                    found.extend(self.violations().iter().map(|what| format!("{mode}: {what}")));
                }
            }
        }
        found
    }

    /// Opens all expandable elements, and returns whether there are any.
    fn open_everything(&self) -> bool {
        // Of the tabs of one form, only one can be open at a time.
        let script = "const shut = [...document.querySelectorAll('details:not([open], [name])')];
            shut.forEach((details) => { details.open = true; });
            return shut.length > 0;";
        self.browser.run(script, &[]) == true
    }

    /// Returns the element that makes the page wider than the window, if there is one.
    fn sideways(&self) -> Option<String> {
        let script = "const page = document.documentElement;
            if (page.scrollWidth <= innerWidth) return null;
            const wide = [...document.querySelectorAll('body *')].filter((it) => {
                const box = it.getBoundingClientRect();
                return box.width > 0 && box.right > innerWidth + 0.5;
            });
            const name = (it) => it.tagName.toLowerCase() + (it.id && '#' + it.id) + (it.className && '.' + it.className);
            return `${page.scrollWidth} px wide because of ${wide.slice(0, 6).map(name).join(', ')}`;";
        self.browser.run(script, &[]).as_str().map(str::to_owned)
    }

    /// Returns the violated rules of axe-core with the elements.
    fn violations(&self) -> Vec<String> {
        if self.browser.run("return typeof window.axe === 'undefined'", &[]) == true {
            self.browser.run(axe(), &[]);
        }
        let script = "const done = arguments[0];
            axe.run(document, {resultTypes: ['violations']}).then(
                (results) => done(results.violations.map((it) => ({
                    rule: it.id,
                    help: it.help,
                    nodes: it.nodes.map((node) => `${node.target.join(' ')} {${node.any.map((check) => check.message).join(' ')}}`),
                }))),
                (error) => done(String(error)));";
        let violations = self.browser.run_async(script, &[]);
        let violations = violations
            .as_array()
            .unwrap_or_else(|| panic!("axe: {violations}"));
        violations.iter().map(describe).collect()
    }
}

fn describe(violation: &Value) -> String {
    let nodes = violation["nodes"].as_array().expect("it has nodes");
    let some: Vec<_> = nodes.iter().take(4).filter_map(Value::as_str).collect();
    let (rule, help) = (&violation["rule"], &violation["help"]);
    format!("{rule} {help} at {} nodes: {}", nodes.len(), some.join("; "))
}

fn axe() -> &'static str {
    static SOURCE: OnceLock<String> = OnceLock::new();
    SOURCE.get_or_init(|| fs::read_to_string(named_path("BROWSER_TESTS_AXE")).expect("it is text"))
}
