//! The refresh tokens.

use chrono::{DateTime, Utc};
use mycars_application::{
    lists::{TokenOrder, TokenQuery, TokenState},
    ports::{ListedToken, RefreshToken, RefreshTokenRepository, Revocation},
};
use mycars_domain::{User, UserId};

use crate::{
    Result, State, Unit, next,
    query::{compare, finds, forget, paged, with_keys},
    users::searched,
};

/// Whether a token can be used at a point in time.
fn state_of(token: &RefreshToken, now: DateTime<Utc>) -> TokenState {
    match token.revoked {
        Some(_) => TokenState::Revoked,
        None if token.expires_at > now => TokenState::Live,
        None => TokenState::Expired,
    }
}

impl State {
    fn owner_of(&self, token: &RefreshToken) -> Option<&User> {
        self.users.get(&token.user?)
    }

    fn token(&self, id: &str) -> Option<RefreshToken> {
        let mut tokens = self.refresh_tokens.values().map(|kept| &kept.token);
        tokens.find(|token| token.id == id).cloned()
    }

    /// Tokens with the names that their owners have now.
    fn named(&self, mut listed: Vec<ListedToken>) -> Vec<ListedToken> {
        for kept in &mut listed {
            kept.username = self.owner_of(&kept.token).map(|owner| owner.username.to_string());
        }
        listed
    }

    /// The tokens that a query asks for, on all its pages, in its order.
    fn found_tokens(&self, query: &TokenQuery) -> Vec<&ListedToken> {
        let is_asked_for = |ListedToken { token, .. }: &&ListedToken| {
            let owner = self.owner_of(token).map_or([""; 5], searched);
            finds(&query.search, &[&[token.id.as_str()], &owner[..]].concat())
                && query
                    .state
                    .is_none_or(|state| state_of(token, query.now) == state)
                && query.user.is_none_or(|user| token.user == Some(user))
        };
        let newest_first = self.refresh_tokens.values().rev();
        let mut found: Vec<&ListedToken> = newest_first.filter(is_asked_for).collect();
        found.sort_by(|one, other| {
            compare(&query.ordering, |order| match order {
                TokenOrder::IssuedAt => one.token.issued_at.cmp(&other.token.issued_at),
                TokenOrder::ExpiresAt => one.token.expires_at.cmp(&other.token.expires_at),
            })
        });
        found
    }
}

impl Unit {
    /// Says why tokens are dead, and answers how many they are.
    fn end(&mut self, why: Revocation, which: impl Fn(&RefreshToken) -> bool) -> Result<usize> {
        self.change(|state| {
            let tokens = state.refresh_tokens.values_mut().map(|kept| &mut kept.token);
            let ended = tokens.filter(|token| which(token));
            Ok(ended.map(|token| token.revoked = Some(why)).count())
        })
    }
}

impl RefreshTokenRepository for Unit {
    fn record(&mut self, token: &RefreshToken) -> Result<()> {
        self.change(|state| {
            token.user.map_or(Ok(()), |owner| state.check_owner(owner))?;
            if state.token(&token.id).is_none() {
                let (number, token) = (next(&mut state.last_ids.refresh_tokens), token.clone());
                let kept = ListedToken {
                    number,
                    token,
                    username: None,
                };
                state.refresh_tokens.insert(number, kept);
            }
            Ok(())
        })
    }

    fn find(&mut self, id: &str) -> Result<Option<RefreshToken>> {
        Ok(self.state.token(id))
    }

    fn find_for_update(&mut self, id: &str) -> Result<Option<RefreshToken>> {
        Ok(self.state.token(id))
    }

    fn revoke(&mut self, id: &str, why: Revocation, _at: DateTime<Utc>) -> Result<()> {
        self.end(why, |token| token.id == id).map(drop)
    }

    fn revoke_all_of(&mut self, user: UserId, why: Revocation, _at: DateTime<Utc>) -> Result<usize> {
        self.end(why, |token| token.user == Some(user) && token.revoked.is_none())
    }

    fn list(&mut self, query: &TokenQuery) -> Result<Vec<ListedToken>> {
        let page = paged(self.state.found_tokens(query), query.page);
        Ok(self.state.named(page))
    }

    fn count(&mut self, query: &TokenQuery) -> Result<u64> {
        Ok(self.state.found_tokens(query).len() as u64)
    }

    fn numbers(&mut self, query: &TokenQuery) -> Result<Vec<i64>> {
        let found = self.state.found_tokens(query);
        Ok(found.iter().map(|kept| kept.number).collect())
    }

    fn find_all(&mut self, numbers: &[i64]) -> Result<Vec<ListedToken>> {
        let found = with_keys(&self.state.refresh_tokens, numbers);
        Ok(self.state.named(found))
    }

    fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<usize> {
        let is_over = |kept: &ListedToken| kept.token.expires_at <= now;
        self.change(|state| Ok(forget(&mut state.refresh_tokens, is_over)))
    }
}
