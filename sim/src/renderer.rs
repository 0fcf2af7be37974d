//! Draws pictures headlessly with MuJoCo over EGL. OpenGL belongs to the thread that opened it, so
//! a named thread owns it, with a state of its own; it never sees the physics.

use std::{
    collections::HashMap,
    sync::Arc,
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, bounded};
use mujoco_rs::{
    prelude::{MjData, MjModel, MjvCamera},
    renderer::MjRenderer,
};

use crate::{
    error::SimError,
    world::{Scenery, put_block},
};

/// What is to be drawn, and who waits for it.
pub(crate) struct Order {
    pub scenery: Scenery,
    pub camera: usize,
    pub size: (u16, u16),
    /// Holds one answer and is empty when an order is given, so answering never blocks.
    pub reply: Sender<Result<Vec<u8>, String>>,
}

/// The thread that draws. Dropping it waits until OpenGL is closed.
#[derive(Debug)]
pub(crate) struct Renderer {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Renderer {
    /// Opens EGL for pictures of these sizes.
    pub fn start(model: Arc<MjModel>, sizes: Vec<(u16, u16)>) -> Result<Self, SimError> {
        const NAME: &str = "sim-render";
        // Every camera waits for its picture, so there are never more orders than cameras; one
        // more than fits would wait in turn.
        let (orders, inbox) = bounded(4);
        let (ready, opened) = bounded(1);
        let thread = thread::Builder::new()
            .name(NAME.into())
            .spawn(move || match Studio::open(model, &sizes) {
                Ok(studio) => {
                    // Nobody hears this only when `start` itself has gone.
                    let _ = ready.send(Ok(()));
                    studio.work(&inbox);
                }
                Err(reason) => {
                    let _ = ready.send(Err(reason));
                }
            })
            .map_err(|source| SimError::Thread { name: NAME, source })?;
        let renderer = Self { orders: Some(orders), thread: Some(thread) };
        match opened.recv() {
            Ok(Ok(())) => Ok(renderer),
            Ok(Err(reason)) => Err(SimError::Render(reason)),
            Err(_) => Err(SimError::Render("the render thread died while opening EGL".into())),
        }
    }

    /// False when the thread has died.
    pub fn order(&self, order: Order) -> bool {
        self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok())
    }
}

impl Drop for Renderer {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has already been printed and answered with an error.
            let _ = thread.join();
        }
    }
}

/// Everything that lives on the render thread.
struct Studio {
    data: MjData<Arc<MjModel>>,
    /// What `data` shows.
    shown: Option<Scenery>,
    /// One per picture size: the size of an off-screen surface is fixed.
    renderers: HashMap<(u16, u16), MjRenderer>,
}

impl Studio {
    fn open(model: Arc<MjModel>, sizes: &[(u16, u16)]) -> Result<Self, String> {
        let mut renderers = HashMap::new();
        for &(width, height) in sizes {
            if renderers.contains_key(&(width, height)) {
                continue;
            }
            let renderer = MjRenderer::new(&model, width.into(), height.into(), 0)
                .map_err(|e| e.to_string())?;
            renderers.insert((width, height), renderer);
        }
        let data = MjData::try_new(model).map_err(|e| e.to_string())?;
        Ok(Self { data, shown: None, renderers })
    }

    fn work(mut self, inbox: &Receiver<Order>) {
        while let Ok(order) = inbox.recv() {
            let picture = self.draw(&order);
            // A camera that has gone meanwhile wants no answer.
            let _ = order.reply.try_send(picture);
        }
    }

    fn draw(&mut self, order: &Order) -> Result<Vec<u8>, String> {
        if self.shown.as_ref() != Some(&order.scenery) {
            self.data.qpos_mut().copy_from_slice(&order.scenery.positions);
            for (block, place) in order.scenery.blocks.iter().enumerate() {
                put_block(&mut self.data, block, place);
            }
            self.data.forward_kinematics();
            self.shown = Some(order.scenery.clone());
        }
        let renderer = self.renderers.get_mut(&order.size).ok_or("no surface of this size")?;
        renderer.set_camera(MjvCamera::new_fixed(order.camera));
        renderer.sync_data(&mut self.data).map_err(|e| e.to_string())?;
        renderer.render().map_err(|e| e.to_string())?;
        renderer.rgb_flat().map(<[u8]>::to_vec).ok_or_else(|| "colours are switched off".into())
    }
}
