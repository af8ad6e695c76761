//! Notes, and surveys: what travels with a conversation or is said of it afterwards.

use crate::decision::Reason;
use crate::effect::Effect;
use crate::id::Id;
use crate::input::Input;
use crate::step::{DECIDED, RECORDED, Stepping, Verdict, ignored, rejected};
use alloc::boxed::Box;

impl Stepping<'_> {
    pub(crate) fn note_add(&mut self, input: &Input, conversation: &Id, text: &str, mentions: &[Id]) -> Verdict {
        let Some(slot) = self.state.find_conversation(conversation.hash) else {
            return rejected(Reason::UnknownConversation);
        };
        let before = self.told_so_far();
        self.note(input, slot, Some(text));
        self.notify(slot, mentions, Reason::Mention);
        if self.told_so_far() > before { DECIDED } else { RECORDED }
    }

    /// Kept with the conversation, if there is one.
    pub(crate) fn note(&mut self, input: &Input, slot: u32, text: Option<&str>) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        let by: Box<str> = input.actor.as_ref().map_or_else(Box::default, |actor| actor.id.text.clone());
        self.effect(Effect::Noted { conversation: slot, at: self.now, by, text: text.into() });
    }

    pub(crate) fn survey_answered(
        &mut self,
        conversation: Option<&Id>,
        identity: Option<u128>,
        _score: u32,
    ) -> Verdict {
        let known = self.find_named(conversation, identity).is_some();
        let linked = conversation.is_some_and(|id| self.state.is_known(id.hash));
        if known || linked { RECORDED } else { ignored(Reason::UnknownConversation) }
    }
}
