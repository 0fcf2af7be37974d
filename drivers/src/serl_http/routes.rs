//! The routes of the contract. Every one is asked by POST.

pub const GET_STATE: &str = "/getstate";
pub const GET_POS: &str = "/getpos";
pub const GET_POS_EULER: &str = "/getpos_euler";
pub const GET_VEL: &str = "/getvel";
pub const GET_FORCE: &str = "/getforce";
pub const GET_TORQUE: &str = "/gettorque";
pub const GET_Q: &str = "/getq";
pub const GET_DQ: &str = "/getdq";
pub const GET_JACOBIAN: &str = "/getjacobian";
pub const GET_GRIPPER: &str = "/get_gripper";
pub const POSE: &str = "/pose";
pub const CLEAR_ERROR: &str = "/clearerr";
pub const UPDATE_PARAM: &str = "/update_param";
pub const START_IMPEDANCE: &str = "/startimp";
pub const STOP_IMPEDANCE: &str = "/stopimp";
pub const JOINT_RESET: &str = "/jointreset";
pub const SET_LOAD: &str = "/set_load";
pub const ACTIVATE_GRIPPER: &str = "/activate_gripper";
pub const RESET_GRIPPER: &str = "/reset_gripper";
pub const OPEN_GRIPPER: &str = "/open_gripper";
pub const CLOSE_GRIPPER: &str = "/close_gripper";
pub const CLOSE_GRIPPER_SLOW: &str = "/close_gripper_slow";
pub const MOVE_GRIPPER: &str = "/move_gripper";
