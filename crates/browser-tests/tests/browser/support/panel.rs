//! The actions of users in the admin panel.

use serde_json::{Value, json};

use super::{PASSWORD, Site, driver::Element, site::Form, wait_for};

impl Site {
    /// Logs in on the login page of the panel.
    #[track_caller]
    pub(crate) fn enter_panel(&self, username: &str) {
        self.enter_panel_with(username, PASSWORD);
    }

    #[track_caller]
    pub(crate) fn enter_panel_with(&self, username: &str, password: &str) {
        self.visit("/admin/");
        assert_eq!(self.path(), "/api-auth/login/?next=%2Fadmin%2F");
        self.fill_in_login(username, password);
        assert_eq!(self.path(), "/admin/", "{}", self.browser.text());
    }

    /// Logs out by the menu.
    #[track_caller]
    pub(crate) fn leave_panel(&self) {
        self.browser.find(".menu > summary").click();
        self.follow(&self.button("Log out"));
        assert_eq!(self.path(), "/api-auth/login/?next=%2Fadmin%2F");
        assert!(self.browser.cookie("sessionid").is_none());
    }

    /// Returns the form that adds or changes an object.
    #[track_caller]
    pub(crate) fn change_form(&self) -> Form<'_> {
        self.form_with("Save")
    }

    /// Returns the form above a list with search and filters.
    #[track_caller]
    pub(crate) fn search_form(&self) -> Form<'_> {
        self.form_with("Apply")
    }

    /// Searches in the current list.
    #[track_caller]
    pub(crate) fn search(&self, text: &str) {
        let form = self.search_form();
        form.fill("Search", text);
        assert_eq!(form.press("Apply"), 200, "{}", self.browser.text());
    }

    /// Returns the names of the rows of a list, in their order.
    pub(crate) fn rows(&self) -> Vec<String> {
        self.texts("tbody th[scope=row]")
    }

    /// Returns the actions for the object of the page by their texts.
    #[track_caller]
    pub(crate) fn tool(&self, text: &str) -> Element<'_> {
        self.named(".tools a", text)
    }

    /// Returns the texts in a column of a list, by its heading.
    #[track_caller]
    pub(crate) fn column(&self, name: &str) -> Vec<String> {
        let script = "const names = [...document.querySelectorAll('thead tr > *')].map((it) => it.innerText.trim());
            const place = names.findIndex((it) => it.startsWith(arguments[0]));
            if (place < 0) return null;
            return [...document.querySelectorAll('tbody tr')].map((row) => row.children[place].innerText.trim());";
        texts(&self.browser.run(script, &[json!(name)]))
    }

    /// Returns the visible texts of all elements that match a selector.
    pub(crate) fn texts(&self, selector: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])]
            .filter((it) => it.checkVisibility()).map((it) => it.innerText.trim())";
        texts(&self.browser.run(script, &[json!(selector)]))
    }

    /// Returns the checkbox of the row with this name.
    #[track_caller]
    pub(crate) fn tick(&self, row: &str) -> Element<'_> {
        self.browser.find(&format!("[aria-label='Choose {row}']"))
    }

    /// Selects a bulk action and continues.
    #[track_caller]
    pub(crate) fn choose_action(&self, action: &str) -> u16 {
        let form = self.form_with("Go");
        form.choose("Action", action);
        form.press("Go")
    }

    /// Returns the success messages of the page.
    #[track_caller]
    pub(crate) fn notice(&self) -> String {
        self.browser.find(".notice").text()
    }

    /// Returns the error messages of the page.
    #[track_caller]
    pub(crate) fn problem(&self) -> String {
        self.browser.find(".problems").text()
    }

    /// Presses a key on the focused element.
    #[track_caller]
    pub(crate) fn press_key(&self, key: &str) {
        let actions = ["keyDown", "keyUp"].map(|way| json!({"type": way, "value": key}));
        self.browser
            .perform(&json!([{"type": "key", "id": "keyboard", "actions": actions}]));
    }

    /// Clicks on an element while a modifier key is held.
    #[track_caller]
    pub(crate) fn click_with(&self, key: &str, element: &Element<'_>) {
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": [
            {"type": "keyDown", "value": key},
            {"type": "pause"},
            {"type": "pause"},
            {"type": "pause"},
            {"type": "keyUp", "value": key},
        ]});
        let mouse = json!({"type": "pointer", "id": "mouse", "actions": [
            {"type": "pause"},
            {"type": "pointerMove", "origin": element.argument(), "x": 0, "y": 0},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
            {"type": "pause"},
        ]});
        self.browser.perform(&json!([keyboard, mouse]));
    }

    /// Types into the field for an owner and waits for suggestions.
    #[track_caller]
    pub(crate) fn offered(&self, typed: &str) -> Vec<String> {
        self.change_form().fill("Owner", typed);
        wait_for("an offer", || {
            let script = "return [...document.querySelectorAll('#owners option')].map((it) => it.value)";
            let offered = texts(&self.browser.run(script, &[]));
            (!offered.is_empty()).then_some(offered)
        })
    }

    /// Returns whether the browser would ask for confirmation before leaving the page.
    pub(crate) fn warns_of_leaving(&self) -> bool {
        let script = "const leaving = new Event('beforeunload', {cancelable: true});
            dispatchEvent(leaving);
            return leaving.defaultPrevented;";
        self.browser.run(script, &[]) == true
    }
}

#[track_caller]
fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("it is a list");
    list.iter()
        .map(|text| text.as_str().expect("it is text").to_owned())
        .collect()
}
