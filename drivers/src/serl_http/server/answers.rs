//! What each route does and says.

use std::{
    fmt,
    sync::{MutexGuard, PoisonError, atomic::Ordering},
};

use nalgebra::{Quaternion, Translation3, UnitQuaternion, Vector3};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use wire::{
    GripperCommand,
    geometry::{Pose, Wrench},
};

use super::{Host, homing};
use crate::{
    Compliance, GuardedArm, StopKind,
    arm::{ArmError, ArmMode, ArmState, Jacobian},
    gate::Command,
    serl_http::routes,
};

pub enum Said {
    Text(&'static str),
    Json(Value),
}

#[derive(Debug)]
pub struct Failure {
    pub status: u16,
    why: String,
}

impl Failure {
    /// An exception of the original, for which it has no words.
    pub fn server(why: impl fmt::Display) -> Self {
        Self { status: 500, why: why.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl From<ArmError> for Failure {
    fn from(error: ArmError) -> Self {
        Self::server(error)
    }
}

/// So often an arm is asked that has moved on while it was.
const LOOKS: usize = 5;

pub type Answer = Result<Said, Failure>;
type Route = (&'static str, fn(&Host, &[u8]) -> Answer);

/// Answered at once.
pub const QUICK: &[Route] = &[
    (routes::GET_STATE, |host, _| {
        let moment = host.moment()?;
        let mut said = Map::new();
        for key in ["pose", "vel", "force", "torque", "q", "dq", "jacobian"] {
            said.insert(key.into(), moment.told(key));
        }
        // A cell without a gripper says 0, as the server of the egg-flip example does.
        said.insert("gripper_pos".into(), json!(moment.state.gripper.unwrap_or(0.0)));
        Ok(Said::Json(Value::Object(said)))
    }),
    (routes::GET_POS, |host, _| host.one("pose")),
    (routes::GET_POS_EULER, |host, _| {
        let pose = host.arm.state()?.value.tcp_pose;
        let (at, (roll, pitch, yaw)) = (pose.translation.vector, pose.rotation.euler_angles());
        Ok(Said::Json(json!({ "pose": [at.x, at.y, at.z, roll, pitch, yaw] })))
    }),
    (routes::GET_VEL, |host, _| host.one("vel")),
    (routes::GET_FORCE, |host, _| host.one("force")),
    (routes::GET_TORQUE, |host, _| host.one("torque")),
    (routes::GET_Q, |host, _| host.one("q")),
    (routes::GET_DQ, |host, _| host.one("dq")),
    (routes::GET_JACOBIAN, |host, _| host.one("jacobian")),
    (routes::GET_GRIPPER, |host, _| {
        let opening = host.arm.state()?.value.gripper;
        let opening = opening.ok_or_else(|| Failure::server("the cell has no gripper"))?;
        Ok(Said::Json(json!({ "gripper": opening })))
    }),
    (routes::POSE, pose),
    (routes::CLEAR_ERROR, |host, _| {
        let mode = host.arm.state()?.value.mode;
        let stands = matches!(mode, ArmMode::Stopped | ArmMode::Reflex | ArmMode::EmergencyStop);
        if stands || host.arm.refusal().is_some() {
            host.arm.clone().recover()?;
        }
        Ok(Said::Text("Clear"))
    }),
    (routes::UPDATE_PARAM, |host, body| {
        let values: Map<String, Value> = read(body)?;
        let number = |(name, value): (String, Value)| Some((name, value.as_f64()?));
        let count = values.len();
        let values: Vec<_> = values.into_iter().filter_map(number).collect();
        if values.len() < count {
            return Err(Failure::server("a parameter is no number"));
        }
        let compliance = Compliance::new(values).map_err(Failure::server)?;
        host.arm.clone().set_compliance(&compliance)?;
        Ok(Said::Text("Updated compliance parameters"))
    }),
    (routes::START_IMPEDANCE, |host, _| {
        host.arm.clone().hand_over();
        host.driven.store(true, Ordering::SeqCst);
        Ok(Said::Text("Started impedance"))
    }),
    (routes::STOP_IMPEDANCE, |host, _| {
        host.driven.store(false, Ordering::SeqCst);
        host.arm.clone().stop(StopKind::Hold)?;
        Ok(Said::Text("Stopped impedance"))
    }),
    (routes::SET_LOAD, |_, body| {
        #[derive(Deserialize)]
        struct Load {
            #[serde(rename = "mass")]
            _mass: f64,
            #[serde(rename = "F_x_center_load")]
            _centre: [f64; 3],
            #[serde(rename = "load_inertia")]
            _inertia: [f64; 9],
        }
        read::<Load>(body)?;
        Err(Failure::server("the load of this arm is set at the arm, not from here"))
    }),
    (routes::ACTIVATE_GRIPPER, |host, _| host.with_gripper("Activated")),
    (routes::RESET_GRIPPER, |host, _| host.with_gripper("Reset")),
    (routes::OPEN_GRIPPER, |host, _| host.grip(GripperCommand::Open, "Opened")),
    (routes::CLOSE_GRIPPER, |host, _| host.grip(GripperCommand::Close, "Closed")),
    (routes::CLOSE_GRIPPER_SLOW, |host, _| host.grip(GripperCommand::Close, "Closed")),
    (routes::MOVE_GRIPPER, |host, body| {
        #[derive(Deserialize)]
        struct Move {
            gripper_pos: f64,
        }
        let Move { gripper_pos } = read(body)?;
        // Our grippers open or close; a width in between they do not take.
        let opens = gripper_pos.clamp(0.0, 255.0) >= 128.0;
        let command = if opens { GripperCommand::Open } else { GripperCommand::Close };
        host.grip(command, "Moved Gripper")
    }),
];

/// Answered when the arm has got there.
pub const SLOW: &[Route] = &[(routes::JOINT_RESET, |host, _| {
    // As with the original no pose is followed meanwhile.
    host.driven.store(false, Ordering::SeqCst);
    let outcome = homing::go_home(&mut host.arm.clone(), &*host.clock, &host.home);
    host.driven.store(true, Ordering::SeqCst);
    outcome.map_err(Failure::server)?;
    Ok(Said::Text("Reset Joint"))
})];

fn pose(host: &Host, body: &[u8]) -> Answer {
    #[derive(Deserialize)]
    struct Wanted {
        arr: Vec<f64>,
    }
    let Wanted { arr } = read(body)?;
    let &[x, y, z, i, j, k, w] = arr.as_slice() else {
        return Err(Failure::server(format!("a pose has seven numbers, not {}", arr.len())));
    };
    // Whatever its length: the contract takes any seven numbers. The gate judges what is left.
    let rotation = UnitQuaternion::from_quaternion(Quaternion::new(w, i, j, k));
    host.command(Pose::from_parts(Translation3::new(x, y, z), rotation))?;
    Ok(Said::Text("Moved"))
}

/// What cannot be read is an exception of the original, except that a body which is no JSON is a bad
/// request.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|e| Failure { status: 400, why: format!("the body is no JSON: {e}") })?;
    serde_json::from_value(value).map_err(Failure::server)
}

/// What the arm measures and its Jacobian there.
struct Moment {
    state: ArmState,
    jacobian: Option<Jacobian>,
}

impl Moment {
    fn told(&self, key: &str) -> Value {
        let state = &self.state;
        let three = |v: Vector3<f64>| json!([v.x, v.y, v.z]);
        // What the tool exerts, in its own frame.
        let of_tool = |pick: fn(&Wrench) -> Vector3<f64>| {
            let on_tool = state.wrench.as_ref().map(pick).unwrap_or_default();
            three(state.tcp_pose.rotation.inverse() * -on_tool)
        };
        match key {
            "pose" => {
                let (at, turn) =
                    (state.tcp_pose.translation.vector, state.tcp_pose.rotation.coords);
                json!([at.x, at.y, at.z, turn.x, turn.y, turn.z, turn.w])
            }
            "vel" => {
                let (v, w) = (state.twist.linear, state.twist.angular);
                json!([v.x, v.y, v.z, w.x, w.y, w.z])
            }
            "force" => of_tool(|wrench| wrench.force),
            "torque" => of_tool(|wrench| wrench.torque),
            "q" => json!(state.joints),
            "dq" => json!(state.joint_velocities),
            _ => {
                let columns = state.joints.len();
                let rows: Vec<Vec<f64>> = match &self.jacobian {
                    Some(jacobian) => {
                        jacobian.row_iter().map(|row| row.iter().copied().collect()).collect()
                    }
                    None => vec![vec![0.0; columns]; 6],
                };
                json!(rows)
            }
        }
    }
}

impl Host {
    fn one(&self, key: &str) -> Answer {
        let mut said = Map::new();
        said.insert(key.into(), self.moment()?.told(key));
        Ok(Said::Json(Value::Object(said)))
    }

    /// Of one moment, unless the arm has a new state each time that it is asked.
    fn moment(&self) -> Result<Moment, ArmError> {
        let mut state = self.arm.state()?;
        let mut jacobian = self.arm.jacobian();
        for _ in 0..LOOKS {
            let after = self.arm.state()?;
            if after.at == state.at {
                break;
            }
            state = after;
            jacobian = self.arm.jacobian();
        }
        Ok(Moment { state: state.value, jacobian })
    }

    fn gripper(&self) -> MutexGuard<'_, GripperCommand> {
        self.grip.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One command to the gate. While the controller is off it is taken and not followed.
    fn command(&self, pose: Pose) -> Result<(), Failure> {
        if !self.is_driven() {
            return Ok(());
        }
        let mut arm = self.arm.clone();
        let gripper = *self.gripper();
        let command = Command { pose, valid_for: self.lease, gripper };
        match arm.command(self.clock.now(), &command) {
            Ok(_) => {
                // By the contract silence means that the arm stays: it holds, and is not stopped.
                arm.expect_pause();
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn grip(&self, command: GripperCommand, said: &'static str) -> Answer {
        let answer = self.with_gripper(said)?;
        *self.gripper() = command;
        // It goes with a pose: the one that is followed, or the one that the arm has.
        let here = match self.arm.target(self.clock.now()) {
            Some(target) => target,
            None => self.arm.state()?.value.tcp_pose,
        };
        self.command(here)?;
        Ok(answer)
    }

    fn with_gripper(&self, said: &'static str) -> Answer {
        match self.arm.state()?.value.gripper {
            Some(_) => Ok(Said::Text(said)),
            None => Err(Failure::server("the cell has no gripper")),
        }
    }
}
