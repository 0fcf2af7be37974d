//! The C functions of Intel's RealSense SDK that are used, found in its library when a camera asks for
//! them: whoever has no RealSense needs no SDK. Names, arguments and numbers are those of its headers
//! (`librealsense2/rs.h`, `h/*.h`), which have kept them from 2.50 to 2.59.
#![expect(unsafe_code, reason = "a C library")]

use std::{
    env,
    ffi::{CStr, CString, OsString, c_char, c_int, c_uint, c_void},
    ptr::{NonNull, null_mut},
    slice,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use libloading::Library;

/// Names the library where it is not where the system looks for libraries.
const VARIABLE: &str = "REINS_REALSENSE";
/// The SDK's own name, and the names of its versions, the newest first.
const LIBRARY: &str = "librealsense2.so";
const MINOR_VERSIONS: std::ops::RangeInclusive<u32> = 50..=70;

const STREAM_COLOUR: c_int = 2;
const FORMAT_BGR8: c_int = 6;
const INFO_NAME: c_int = 0;
const INFO_SERIAL: c_int = 1;
const PLAYBACK_STOPPED: c_int = 3;

#[derive(Clone, Copy, Debug)]
pub enum Setting {
    Exposure = 3,
    Gain = 4,
    WhiteBalance = 9,
    AutoExposure = 10,
    AutoWhiteBalance = 11,
}

type Pointer = *mut c_void;
/// Where a function puts what went wrong; null where nothing did.
type Error = *mut Pointer;

/// `name: fn(arguments) -> answer` of the C function `rs2_name`. All but those that give something back
/// take [`Error`] last.
macro_rules! functions {
    ($($name:ident: fn($($argument:ty),*) $(-> $answer:ty)?;)*) => {
        struct Functions {
            $($name: unsafe extern "C" fn($($argument),*) $(-> $answer)?,)*
            /// The functions are in it.
            _library: Library,
        }

        impl Functions {
            fn of(library: Library) -> Result<Self, libloading::Error> {
                // SAFETY: each function has these arguments and this answer in the SDK's headers.
                unsafe {
                    Ok(Self {
                        $($name: *library.get(concat!("rs2_", stringify!($name), "\0").as_bytes())?,)*
                        _library: library,
                    })
                }
            }
        }
    };
}

functions! {
    get_api_version: fn(Error) -> c_int;
    get_error_message: fn(Pointer) -> *const c_char;
    free_error: fn(Pointer);
    create_context: fn(c_int, Error) -> Pointer;
    delete_context: fn(Pointer);
    query_devices: fn(Pointer, Error) -> Pointer;
    get_device_count: fn(Pointer, Error) -> c_int;
    create_device: fn(Pointer, c_int, Error) -> Pointer;
    delete_device_list: fn(Pointer);
    delete_device: fn(Pointer);
    get_device_info: fn(Pointer, c_int, Error) -> *const c_char;
    create_config: fn(Error) -> Pointer;
    delete_config: fn(Pointer);
    config_enable_device: fn(Pointer, *const c_char, Error);
    config_enable_device_from_file_repeat_option: fn(Pointer, *const c_char, c_int, Error);
    config_enable_stream: fn(Pointer, c_int, c_int, c_int, c_int, c_int, c_int, Error);
    create_pipeline: fn(Pointer, Error) -> Pointer;
    delete_pipeline: fn(Pointer);
    pipeline_start_with_config: fn(Pointer, Pointer, Error) -> Pointer;
    pipeline_stop: fn(Pointer, Error);
    pipeline_profile_get_device: fn(Pointer, Error) -> Pointer;
    delete_pipeline_profile: fn(Pointer);
    pipeline_try_wait_for_frames: fn(Pointer, *mut Pointer, c_uint, Error) -> c_int;
    playback_device_get_current_status: fn(Pointer, Error) -> c_int;
    embedded_frames_count: fn(Pointer, Error) -> c_int;
    extract_frame: fn(Pointer, c_int, Error) -> Pointer;
    release_frame: fn(Pointer);
    get_frame_stream_profile: fn(Pointer, Error) -> Pointer;
    get_stream_profile_data: fn(Pointer, *mut c_int, *mut c_int, *mut c_int, *mut c_int, *mut c_int, Error);
    get_frame_width: fn(Pointer, Error) -> c_int;
    get_frame_height: fn(Pointer, Error) -> c_int;
    get_frame_stride_in_bytes: fn(Pointer, Error) -> c_int;
    get_frame_data: fn(Pointer, Error) -> *const u8;
    query_sensors: fn(Pointer, Error) -> Pointer;
    get_sensors_count: fn(Pointer, Error) -> c_int;
    create_sensor: fn(Pointer, c_int, Error) -> Pointer;
    delete_sensor: fn(Pointer);
    delete_sensor_list: fn(Pointer);
    get_stream_profiles: fn(Pointer, Error) -> Pointer;
    get_stream_profiles_count: fn(Pointer, Error) -> c_int;
    get_stream_profile: fn(Pointer, c_int, Error) -> Pointer;
    delete_stream_profiles_list: fn(Pointer);
    supports_option: fn(Pointer, c_int, Error) -> c_int;
    get_option_range: fn(Pointer, c_int, *mut f32, *mut f32, *mut f32, *mut f32, Error);
    set_option: fn(Pointer, c_int, f32, Error);
    get_option: fn(Pointer, c_int, Error) -> f32;
}

/// Calls a function; what went wrong as an error.
macro_rules! ask {
    ($sdk:expr, $name:ident($($argument:expr),*)) => {{
        let mut error: Pointer = null_mut();
        // SAFETY: every pointer is one that the SDK has given and that has not been given back, or
        // points to what outlives the call.
        let answer = unsafe { ($sdk.$name)($($argument,)* &raw mut error) };
        $sdk.checked(error).map(|()| answer)
    }};
}

impl Functions {
    fn checked(&self, error: Pointer) -> anyhow::Result<()> {
        if error.is_null() {
            return Ok(());
        }
        // SAFETY: the error is the SDK's, its message ends in a zero, and it is given back once.
        let message = unsafe {
            let message = (self.get_error_message)(error);
            let message = CStr::from_ptr(message).to_string_lossy().into_owned();
            (self.free_error)(error);
            message
        };
        Err(anyhow!(message))
    }
}

/// Something that the SDK gave and that is given back in the end.
struct Owned {
    at: NonNull<c_void>,
    give_back: unsafe extern "C" fn(Pointer),
    /// Outlives it.
    _sdk: Arc<Functions>,
}

impl Owned {
    fn get(&self) -> Pointer {
        self.at.as_ptr()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it is the SDK's and is given back here alone.
        unsafe { (self.give_back)(self.get()) }
    }
}

#[derive(Clone)]
pub struct Sdk(Arc<Functions>);

/// What to start.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    pub from: From<'a>,
    /// None leaves size and rate to the device.
    pub size: Option<[u32; 2]>,
    pub fps: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
pub enum From<'a> {
    /// None is the only device.
    Serial(Option<&'a str>),
    Recording {
        path: &'a str,
        repeat: bool,
    },
}

impl Sdk {
    pub fn load() -> anyhow::Result<Self> {
        let names: Vec<OsString> = match env::var_os(VARIABLE) {
            Some(path) => vec![path],
            None => {
                let versions =
                    MINOR_VERSIONS.rev().map(|minor| format!("{LIBRARY}.2.{minor}").into());
                std::iter::once(LIBRARY.into()).chain(versions).collect()
            }
        };
        let mut why = None;
        for name in names {
            // SAFETY: the SDK's library only sets itself up when it is loaded.
            match unsafe { Library::new(&name) }.and_then(Functions::of) {
                Ok(functions) => return Ok(Self(Arc::new(functions))),
                Err(error) => why = why.or(Some(error)),
            }
        }
        let why = why.map(|error| error.to_string()).unwrap_or_default();
        bail!(
            "the library of Intel's RealSense SDK cannot be loaded ({why}): install librealsense2, \
             or name its file in {VARIABLE}"
        )
    }

    fn owned(
        &self,
        at: Pointer,
        give_back: impl Fn(&Functions) -> unsafe extern "C" fn(Pointer),
    ) -> anyhow::Result<Owned> {
        let at = NonNull::new(at).context("the RealSense SDK gave nothing")?;
        Ok(Owned { at, give_back: give_back(&self.0), _sdk: self.0.clone() })
    }

    pub fn start(&self, wanted: &Wanted<'_>) -> anyhow::Result<Pipeline> {
        let sdk = &self.0;
        let version = ask!(sdk, get_api_version())?;
        let context = self.owned(ask!(sdk, create_context(version))?, |sdk| sdk.delete_context)?;
        let config = self.owned(ask!(sdk, create_config())?, |sdk| sdk.delete_config)?;
        // Outlives the start.
        let text;
        match wanted.from {
            From::Serial(None) => self.check_is_there(None, &context)?,
            From::Serial(Some(serial)) => {
                self.check_is_there(Some(serial), &context)?;
                text = CString::new(serial)?;
                ask!(sdk, config_enable_device(config.get(), text.as_ptr()))?;
            }
            From::Recording { path, repeat } => {
                text = CString::new(path)?;
                let (path, repeat) = (text.as_ptr(), c_int::from(repeat));
                let enable = ask!(
                    sdk,
                    config_enable_device_from_file_repeat_option(config.get(), path, repeat)
                );
                enable.context("reading it as a recording of the RealSense SDK")?;
            }
        }
        let [width, height] = wanted.size.unwrap_or_default();
        let (width, height) = (c_int::try_from(width)?, c_int::try_from(height)?);
        let fps = wanted.fps.unwrap_or_default().round() as c_int;
        ask!(
            sdk,
            config_enable_stream(config.get(), STREAM_COLOUR, -1, width, height, FORMAT_BGR8, fps)
        )?;
        let pipeline = ask!(sdk, create_pipeline(context.get()))?;
        let pipeline = self.owned(pipeline, |sdk| sdk.delete_pipeline)?;
        let profile = ask!(sdk, pipeline_start_with_config(pipeline.get(), config.get()))
            .with_context(|| {
                let size = wanted.size.map(|[width, height]| format!(" of {width}x{height}"));
                format!("starting its colour{}", size.unwrap_or_default())
            })?;
        let profile = self.owned(profile, |sdk| sdk.delete_pipeline_profile)?;
        let device = ask!(sdk, pipeline_profile_get_device(profile.get()))?;
        let device = self.owned(device, |sdk| sdk.delete_device)?;
        Ok(Pipeline { device, pipeline, _context: context, sdk: self.clone() })
    }

    /// The SDK itself would wait for a device that may come.
    fn check_is_there(&self, serial: Option<&str>, context: &Owned) -> anyhow::Result<()> {
        let devices = self.devices(context).context("looking for devices")?;
        if devices.is_empty() {
            bail!("no RealSense is plugged in, or its rights are missing (the SDK's udev rules)");
        }
        let there = devices.iter().map(|[name, serial]| format!("{name} {serial}"));
        let there = there.collect::<Vec<_>>().join(", ");
        match serial {
            Some(serial) if devices.iter().all(|[_, own]| own != serial) => {
                bail!("no RealSense with this serial number is plugged in; there are: {there}")
            }
            None if devices.len() > 1 => {
                bail!("several are plugged in: name one by its serial number; there are: {there}")
            }
            _ => Ok(()),
        }
    }

    /// Name and serial number of each.
    fn devices(&self, context: &Owned) -> anyhow::Result<Vec<[String; 2]>> {
        let sdk = &self.0;
        let list = ask!(sdk, query_devices(context.get()))?;
        let list = self.owned(list, |sdk| sdk.delete_device_list)?;
        let count = ask!(sdk, get_device_count(list.get()))?;
        let mut devices = Vec::new();
        for at in 0..count {
            let device = ask!(sdk, create_device(list.get(), at))?;
            let device = self.owned(device, |sdk| sdk.delete_device)?;
            let [name, serial] = [INFO_NAME, INFO_SERIAL].map(|what| {
                let text = ask!(sdk, get_device_info(device.get(), what))?;
                // SAFETY: a text of the device's, which ends in a zero.
                anyhow::Ok(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
            });
            devices.push([name?, serial?]);
        }
        Ok(devices)
    }
}

/// A started device or recording. Its colour comes as BGR.
pub struct Pipeline {
    device: Owned,
    pipeline: Owned,
    _context: Owned,
    sdk: Sdk,
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // What cannot be stopped ends with the process.
        let _ = ask!(self.sdk.0, pipeline_stop(self.pipeline.get()));
    }
}

/// Rows of `stride` bytes, of which the first `3 * width` are its pixels.
#[derive(Clone, Copy, Debug)]
pub struct Colour<'a> {
    pub width: usize,
    pub height: usize,
    pub stride: usize,
    pub bytes: &'a [u8],
    pub fps: f64,
}

impl Pipeline {
    /// The next colour picture, as `read` sees it; none when none came in that time.
    pub fn next<T>(
        &mut self,
        timeout: Duration,
        read: impl FnOnce(Colour<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        let sdk = &self.sdk.0;
        let mut frames = null_mut();
        let (timeout, into) = (timeout.as_millis() as c_uint, &raw mut frames);
        let came = ask!(sdk, pipeline_try_wait_for_frames(self.pipeline.get(), into, timeout))?;
        if came == 0 {
            return Ok(None);
        }
        let frames = self.sdk.owned(frames, |sdk| sdk.release_frame)?;
        let count = ask!(sdk, embedded_frames_count(frames.get()))?;
        for at in 0..count {
            let frame = ask!(sdk, extract_frame(frames.get(), at))?;
            let frame = self.sdk.owned(frame, |sdk| sdk.release_frame)?;
            let profile = ask!(sdk, get_frame_stream_profile(frame.get()))?;
            let [stream, format, fps] = self.sdk.described(profile)?;
            if (stream, format) != (STREAM_COLOUR, FORMAT_BGR8) {
                continue;
            }
            let width = usize::try_from(ask!(sdk, get_frame_width(frame.get()))?)?;
            let height = usize::try_from(ask!(sdk, get_frame_height(frame.get()))?)?;
            let stride = usize::try_from(ask!(sdk, get_frame_stride_in_bytes(frame.get()))?)?;
            let data = ask!(sdk, get_frame_data(frame.get()))?;
            if data.is_null() || stride < 3 * width {
                bail!("the RealSense SDK gave a picture without pixels");
            }
            // SAFETY: the frame holds so many rows of so many bytes until it is released, below.
            let bytes = unsafe { slice::from_raw_parts(data, stride * height) };
            return read(Colour { width, height, stride, bytes, fps: fps.into() }).map(Some);
        }
        Ok(None)
    }

    /// Whether a recording has come to its end. False for a device.
    pub fn is_over(&self) -> bool {
        let status = ask!(self.sdk.0, playback_device_get_current_status(self.device.get()));
        status.is_ok_and(|status| status == PLAYBACK_STOPPED)
    }

    /// The sensor that makes the colour, whichever of the device's it is: a D405's is that of its stereo
    /// module.
    pub fn colour_sensor(&self) -> anyhow::Result<Sensor> {
        let sdk = &self.sdk.0;
        let list = ask!(sdk, query_sensors(self.device.get()))?;
        let list = self.sdk.owned(list, |sdk| sdk.delete_sensor_list)?;
        for at in 0..ask!(sdk, get_sensors_count(list.get()))? {
            let sensor = ask!(sdk, create_sensor(list.get(), at))?;
            let sensor = self.sdk.owned(sensor, |sdk| sdk.delete_sensor)?;
            let profiles = ask!(sdk, get_stream_profiles(sensor.get()))?;
            let profiles = self.sdk.owned(profiles, |sdk| sdk.delete_stream_profiles_list)?;
            for at in 0..ask!(sdk, get_stream_profiles_count(profiles.get()))? {
                let [stream, ..] =
                    self.sdk.described(ask!(sdk, get_stream_profile(profiles.get(), at))?)?;
                if stream == STREAM_COLOUR {
                    return Ok(Sensor { sensor, sdk: self.sdk.clone() });
                }
            }
        }
        bail!("the device has no sensor for colour")
    }
}

impl Sdk {
    /// Stream, format and rate.
    fn described(&self, profile: Pointer) -> anyhow::Result<[c_int; 3]> {
        let [mut stream, mut format, mut index, mut id, mut fps] = [0; 5];
        let into = [&raw mut stream, &raw mut format, &raw mut index, &raw mut id, &raw mut fps];
        let [stream_at, format_at, index_at, id_at, fps_at] = into;
        ask!(
            self.0,
            get_stream_profile_data(profile, stream_at, format_at, index_at, id_at, fps_at)
        )?;
        Ok([stream, format, fps])
    }
}

pub struct Sensor {
    sensor: Owned,
    sdk: Sdk,
}

impl Sensor {
    pub fn has(&self, setting: Setting) -> bool {
        let has = ask!(self.sdk.0, supports_option(self.sensor.get(), setting as c_int));
        has.is_ok_and(|has| has != 0)
    }

    pub fn largest(&self, setting: Setting) -> anyhow::Result<f64> {
        let [mut least, mut most, mut step, mut usual] = [0.0_f32; 4];
        let into = [&raw mut least, &raw mut most, &raw mut step, &raw mut usual];
        let [least_at, most_at, step_at, usual_at] = into;
        ask!(
            self.sdk.0,
            get_option_range(
                self.sensor.get(),
                setting as c_int,
                least_at,
                most_at,
                step_at,
                usual_at
            )
        )?;
        Ok(most.into())
    }

    /// Sets it; what it is then.
    pub fn set(&self, setting: Setting, value: f64) -> anyhow::Result<f64> {
        let (sensor, option) = (self.sensor.get(), setting as c_int);
        ask!(self.sdk.0, set_option(sensor, option, value as f32))?;
        Ok(ask!(self.sdk.0, get_option(sensor, option))?.into())
    }
}
