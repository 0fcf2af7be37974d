//! All modules of an agent over one layout of parameters.

use std::sync::Arc;

use crate::{
    architecture::Architecture,
    critic::CriticEnsemble,
    grasp::GraspCritic,
    head::Head,
    params::{Layout, Span},
    policy::Policy,
    projection::Projection,
    temperature::Temperature,
};

/// Which parameters belong to what. In this order, so that what the critic's optimiser owns
/// (critics and head), and what the policy's may own (head and policy), lies side by side.
#[derive(Clone, Debug)]
pub struct Spans {
    pub critic: Span,
    /// Empty where no gripper is learned.
    pub grasp: Span,
    pub head: Span,
    pub policy: Span,
    pub temperature: Span,
}

impl Spans {
    /// All that estimates values, and the head before it.
    pub fn values(&self) -> Span {
        self.critic.join(&self.grasp).join(&self.head)
    }
}

/// The modules; the values are in a [`crate::params::ParamSet`] of `layout`.
#[derive(Debug)]
pub struct Agent {
    pub architecture: Architecture,
    pub layout: Arc<Layout>,
    pub spans: Spans,
    pub critic: CriticEnsemble,
    pub grasp: Option<GraspCritic>,
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
        let (grasp, grasp_span) = layout.span(|layout| match architecture.grippers {
            0 => None,
            grippers => Some(GraspCritic::new(layout, encoding, hidden, grippers)),
        });
        let (head, head_span) = layout.span(|layout| Head::new(layout, &architecture, projections));
        let (policy, policy_span) = layout
            .span(|layout| Policy::new(layout, [encoding, action], hidden, architecture.std_rule));
        let (temperature, temperature_span) =
            layout.span(|layout| Temperature::new(layout, architecture.temperature_init));
        let spans = Spans {
            critic: critic_span,
            grasp: grasp_span,
            head: head_span,
            policy: policy_span,
            temperature: temperature_span,
        };
        Self {
            architecture,
            layout: Arc::new(layout),
            spans,
            critic,
            grasp,
            head,
            policy,
            temperature,
        }
    }
}
