//! All modules of an agent over one layout of parameters.

use std::sync::Arc;

use crate::{
    architecture::Architecture,
    critic::CriticEnsemble,
    head::Head,
    params::{Layout, Span},
    policy::Policy,
    projection::Projection,
    temperature::Temperature,
};

/// Which parameters belong to what. In this order, so that what the critic's optimiser owns
/// (critic and head), and what the policy's may own (head and policy), lies side by side.
#[derive(Clone, Debug)]
pub struct Spans {
    pub critic: Span,
    pub head: Span,
    pub policy: Span,
    pub temperature: Span,
}

/// The modules; the values are in a [`crate::params::ParamSet`] of `layout`.
#[derive(Debug)]
pub struct Agent {
    pub architecture: Architecture,
    pub layout: Arc<Layout>,
    pub spans: Spans,
    pub critic: CriticEnsemble,
    pub head: Head,
    pub policy: Policy,
    pub temperature: Temperature,
}

impl Agent {
    pub fn new(architecture: Architecture, projections: Vec<Projection>) -> Self {
        let mut layout = Layout::default();
        let encoding = Head::width(&architecture);
        let action = architecture.action_dim;
        let hidden = &architecture.hidden;
        let (critic, critic_span) = layout.span(|layout| {
            let size = [architecture.critics, encoding + action];
            CriticEnsemble::new(layout, size, hidden, architecture.critic_output)
        });
        let (head, head_span) = layout.span(|layout| Head::new(layout, &architecture, projections));
        let (policy, policy_span) = layout
            .span(|layout| Policy::new(layout, [encoding, action], hidden, architecture.std_rule));
        let (temperature, temperature_span) =
            layout.span(|layout| Temperature::new(layout, architecture.temperature_init));
        let spans = Spans {
            critic: critic_span,
            head: head_span,
            policy: policy_span,
            temperature: temperature_span,
        };
        Self { architecture, layout: Arc::new(layout), spans, critic, head, policy, temperature }
    }
}
