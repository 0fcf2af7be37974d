//! Where implementations differ: the epsilons of the norms, the bounds of the deviation, a tanh that
//! saturates, the start of the temperature (file g2b).

use std::sync::Arc;

use tch::{Device, Tensor};

use super::{Golden, assert_close};
use crate::{
    mlp::Mlp,
    params::{Layout, ParamSet},
    policy::{Policy, StdRule, TanhGaussian},
    temperature::Temperature,
};

const RTOL: f64 = 2e-4;
const ATOL: f64 = 2e-5;

fn close(got: &Tensor, golden: &Golden, name: &str) {
    assert_close(got, &golden.tensor(name), RTOL, ATOL, name);
}

/// Parameters of `layout`, each as `reference` names it in the file.
fn filled(layout: Layout, golden: &Golden, reference: impl Fn(&str) -> String) -> ParamSet {
    let params = ParamSet::zeros(Arc::new(layout), Device::Cpu);
    tch::no_grad(|| {
        for (name, view) in params.named(&params.layout().whole()) {
            view.shallow_clone().copy_(&golden.tensor(&reference(name)).view_as(view));
        }
    });
    params
}

/// `net/layer_1/norm_bias` as `LayerNorm_1/bias`.
fn layer_name(module: &str, leaf: &str) -> String {
    let at = module.rsplit_once("layer_").map_or("0", |(_, at)| at);
    match leaf {
        "norm_scale" => format!("LayerNorm_{at}/scale"),
        "norm_bias" => format!("LayerNorm_{at}/bias"),
        leaf => format!("Dense_{at}/{leaf}"),
    }
}

#[test]
fn layers_equal_the_reference_where_the_norm_divides_by_next_to_nothing() {
    let golden = Golden::load("g2b_edges");
    let mut layout = Layout::default();
    let mlp = Mlp::new(&mut layout, "net", 6, &[16, 16]);
    let params = filled(layout, &golden, |name| {
        let (module, leaf) = name.rsplit_once('/').unwrap();
        format!("mlp/params/{}", layer_name(module, leaf))
    });
    close(&mlp.forward(params.frozen(), &golden.tensor("mlp/in")), &golden, "mlp/out");
}

#[test]
fn the_deviation_is_clipped_as_in_the_reference_and_so_is_its_gradient() {
    let golden = Golden::load("g2b_edges");
    let mut layout = Layout::default();
    let policy = Policy::new(&mut layout, [5, 4], &[8], StdRule::ClipStd);
    let params = filled(layout, &golden, |name| match name.rsplit_once('/').unwrap() {
        ("policy/mean", leaf) => format!("policy/params/Dense_0/{leaf}"),
        ("policy/log_std", leaf) => format!("policy/params/Dense_1/{leaf}"),
        (module, leaf) => format!("policy/params/network/{}", layer_name(module, leaf)),
    });
    let distribution = policy.forward(params.leaves(), &golden.tensor("policy/in"));
    close(&distribution.mean, &golden, "policy/mean");
    close(&distribution.std, &golden, "policy/std");
    let at = params.layout().specs().iter().position(|s| s.name == "policy/log_std/bias");
    let leaf = &params.leaves_of(&params.layout().whole())[at.unwrap()];
    let sum = distribution.std.sum(tch::Kind::Float);
    let gradient = Tensor::run_backward(&[&sum], &[leaf], false, false);
    close(&gradient[0], &golden, "policy/grad_sum_std_wrt_log_std_bias");
}

#[test]
fn densities_equal_the_references_where_the_tanh_saturates() {
    let golden = Golden::load("g2b_edges");
    let (mean, std) = (golden.tensor("tanh/loc"), golden.tensor("tanh/scale"));
    let eps = (golden.tensor("tanh/pre") - &mean) / &std;
    let distribution = TanhGaussian { log_std: std.log(), mean, std };
    let sample = distribution.sample(&eps);
    close(&sample.action, &golden, "tanh/action");
    close(&sample.log_prob, &golden, "tanh/logp_of_pre");
    let given = golden.tensor("tanh/given_action");
    let rows = given.size()[0];
    let part = TanhGaussian {
        mean: distribution.mean.narrow(0, 0, rows),
        log_std: distribution.log_std.narrow(0, 0, rows),
        std: distribution.std.narrow(0, 0, rows),
    };
    close(&part.log_prob(&given), &golden, "tanh/logp_of_given_action");
}

#[test]
fn the_temperature_starts_and_stays_positive_as_in_the_reference() {
    let golden = Golden::load("g2b_edges");
    let mut layout = Layout::default();
    let temperature = Temperature::new(&mut layout, 0.01);
    let mut rng = rand::SeedableRng::seed_from_u64(0);
    let params = ParamSet::init(Arc::new(layout), &mut rng, Device::Cpu);
    close(
        params.flat_of(&params.layout().whole()).get(0).as_ref(),
        &golden,
        "temperature/init_lagrange_for_0.01",
    );
    let lagrange = golden.tensor("temperature/lagrange");
    let values: Vec<Tensor> = (0..lagrange.size()[0])
        .map(|at| {
            tch::no_grad(|| params.flat().shallow_clone().copy_(&lagrange.narrow(0, at, 1)));
            temperature.value(params.frozen()).copy()
        })
        .collect();
    close(&Tensor::stack(&values, 0), &golden, "temperature/value");
}
