//! Which SpaceMice are plugged in, by sysfs; and which of them is meant.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::source::FdSource;

/// Where devices are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub sysfs: PathBuf,
    pub dev: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self { sysfs: "/sys".into(), dev: "/dev".into() }
    }
}

/// One device that is plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub node: PathBuf,
    pub vendor: u16,
    pub product: u16,
    /// As the device calls itself.
    pub name: String,
    /// Where it is plugged in, and as which of the device's interfaces:
    /// `usb-0000:00:14.0-2/input0`.
    pub usb_path: String,
    /// Most have none.
    pub serial: String,
}

/// Which of several is meant; nothing said means the only one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// With or without the interface.
    pub usb_path: Option<String>,
    pub serial: Option<String>,
}

/// How a model reports motion, as far as is known before it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// All six axes in one report.
    OneReport,
    /// Translation and rotation apart.
    TwoReports,
}

/// The makers of SpaceMice: Logitech once, 3Dconnexion since.
const VENDORS: [u16; 2] = [0x046d, 0x256f];
/// What a report descriptor of a multi-axis controller holds: usage page 1, usage 8.
const MULTI_AXIS: [u8; 4] = [0x05, 0x01, 0x09, 0x08];
/// Mice and keyboards of the same maker.
const NO_SPACEMICE: [u16; 11] =
    [0xc62c, 0xc650, 0xc651, 0xc654, 0xc655, 0xc656, 0xc657, 0xc658, 0xc664, 0xc665, 0xc668];

/// The names serve people only, and so do the families: the driver goes by what is sent.
const MODELS: &[(u16, u16, &str, Family)] = {
    use Family::{OneReport, TwoReports};
    &[
        (0x046d, 0xc625, "SpacePilot", TwoReports),
        (0x046d, 0xc626, "SpaceNavigator", TwoReports),
        (0x046d, 0xc627, "SpaceExplorer", TwoReports),
        (0x046d, 0xc628, "SpaceNavigator for Notebooks", TwoReports),
        (0x046d, 0xc629, "SpacePilot Pro", TwoReports),
        (0x046d, 0xc62b, "SpaceMouse Pro", TwoReports),
        (0x256f, 0xc62e, "SpaceMouse Wireless (cable)", OneReport),
        (0x256f, 0xc62f, "SpaceMouse Wireless (receiver)", OneReport),
        (0x256f, 0xc631, "SpaceMouse Pro Wireless (cable)", OneReport),
        (0x256f, 0xc632, "SpaceMouse Pro Wireless (receiver)", OneReport),
        (0x256f, 0xc633, "SpaceMouse Enterprise", OneReport),
        (0x256f, 0xc635, "SpaceMouse Compact", TwoReports),
        (0x256f, 0xc636, "SpaceMouse Module", TwoReports),
        (0x256f, 0xc638, "SpaceMouse Pro Wireless BT (cable)", OneReport),
        (0x256f, 0xc63a, "SpaceMouse Wireless BT", OneReport),
        (0x256f, 0xc641, "SpaceMouse USB", TwoReports),
        (0x256f, 0xc652, "Universal Receiver", OneReport),
    ]
};

impl Found {
    fn known(&self) -> Option<(&'static str, Family)> {
        let same = |(vendor, product, ..): &&(u16, u16, &str, Family)| {
            (*vendor, *product) == (self.vendor, self.product)
        };
        MODELS.iter().find(same).map(|(_, _, name, family)| (*name, *family))
    }

    /// What people call it.
    pub fn model(&self) -> &str {
        self.known().map_or(&self.name, |(name, _)| name)
    }

    /// As the model usually does it; `None` for one that we have never heard of.
    pub fn family(&self) -> Option<Family> {
        self.known().map(|(_, family)| family)
    }

    /// Whether this process may read it.
    pub fn try_open(&self) -> io::Result<FdSource> {
        FdSource::open(&self.node)
    }
}

/// `SpaceMouse Compact at usb-0000:00:14.0-2/input0`
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.model(), self.usb_path)?;
        if !self.serial.is_empty() {
            write!(f, " with serial {}", self.serial)?;
        }
        Ok(())
    }
}

impl Choice {
    fn is(&self, found: &Found) -> bool {
        let plugged = self.usb_path.as_ref().is_none_or(|path| {
            let rest = found.usb_path.strip_prefix(path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        plugged && self.serial.as_ref().is_none_or(|serial| found.serial == *serial)
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.usb_path, &self.serial) {
            (None, None) => write!(f, "any"),
            (Some(path), None) => write!(f, "at {path}"),
            (None, Some(serial)) => write!(f, "with serial {serial}"),
            (Some(path), Some(serial)) => write!(f, "at {path} with serial {serial}"),
        }
    }
}

/// All that are plugged in, in the order of their nodes.
pub fn list(places: &Places) -> Vec<Found> {
    let class = places.sysfs.join("class/hidraw");
    let Ok(entries) = fs::read_dir(class) else { return Vec::new() };
    let mut found: Vec<Found> = entries
        .flatten()
        .filter_map(|entry| describe(&entry.path(), &places.dev.join(entry.file_name())))
        .collect();
    // hidraw2 comes before hidraw10.
    found.sort_by_key(|found| (found.node.as_os_str().len(), found.node.clone()));
    found
}

/// Those that are meant.
pub fn chosen(places: &Places, choice: &Choice) -> Vec<Found> {
    list(places).into_iter().filter(|found| choice.is(found)).collect()
}

/// `None` for what is no SpaceMouse.
fn describe(entry: &Path, node: &Path) -> Option<Found> {
    let uevent = fs::read_to_string(entry.join("device/uevent")).ok()?;
    let value = |key: &str| {
        let line = uevent.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim().to_owned()
    };
    // Bus, vendor and product: 0003:0000256F:0000C635.
    let id = value("HID_ID");
    let mut numbers = id.split(':').map(|hex| u32::from_str_radix(hex, 16));
    let mut next = || u16::try_from(numbers.next()?.ok()?).ok();
    let (_, vendor, product) = (next()?, next()?, next()?);
    if !VENDORS.contains(&vendor) || NO_SPACEMICE.contains(&product) {
        return None;
    }
    let descriptor = fs::read(entry.join("device/report_descriptor")).ok()?;
    if !descriptor.windows(MULTI_AXIS.len()).any(|bytes| bytes == MULTI_AXIS) {
        return None;
    }
    let (name, usb_path, serial) = (value("HID_NAME"), value("HID_PHYS"), value("HID_UNIQ"));
    Some(Found { node: node.to_owned(), vendor, product, name, usb_path, serial })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A tree like sysfs, with the devices of one machine.
    pub struct Tree(pub tempfile::TempDir);

    pub const COMPACT: [u16; 2] = [0x256f, 0xc635];

    impl Tree {
        pub fn new() -> Self {
            let tree = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(tree.0.path().join("sys/class/hidraw")).unwrap();
            fs::create_dir_all(tree.0.path().join("dev")).unwrap();
            tree
        }

        pub fn places(&self) -> Places {
            Places { sysfs: self.0.path().join("sys"), dev: self.0.path().join("dev") }
        }

        fn folder(&self, node: &str) -> PathBuf {
            self.0.path().join("sys/class/hidraw").join(node)
        }

        pub fn plug(&self, node: &str, id: [u16; 2], phys: &str, serial: &str) {
            self.plug_with(node, id, phys, serial, &[0x05, 0x01, 0x09, 0x08, 0xa1, 0x01]);
        }

        pub fn plug_with(
            &self,
            node: &str,
            [vendor, product]: [u16; 2],
            phys: &str,
            serial: &str,
            descriptor: &[u8],
        ) {
            let device = self.folder(node).join("device");
            fs::create_dir_all(&device).unwrap();
            let uevent = format!(
                "DRIVER=hid-generic\nHID_ID=0003:0000{vendor:04X}:0000{product:04X}\n\
                 HID_NAME=3Dconnexion Thing\nHID_PHYS={phys}\nHID_UNIQ={serial}\n\
                 MODALIAS=hid:b0003\n"
            );
            fs::write(device.join("uevent"), uevent).unwrap();
            fs::write(device.join("report_descriptor"), descriptor).unwrap();
        }

        pub fn unplug(&self, node: &str) {
            fs::remove_dir_all(self.folder(node)).unwrap();
        }
    }

    const LEFT: &str = "usb-0000:00:14.0-2/input0";
    const RIGHT: &str = "usb-0000:00:14.0-20/input0";

    fn nodes(found: &[Found]) -> Vec<String> {
        let name = |found: &Found| found.node.file_name().unwrap().to_string_lossy().into_owned();
        found.iter().map(name).collect()
    }

    #[test]
    fn a_machine_without_hidraw_has_none() {
        let empty = tempfile::tempdir().unwrap();
        let places = Places { sysfs: empty.path().into(), dev: empty.path().into() };
        assert_eq!(list(&places), []);
    }

    #[test]
    fn a_device_is_described() {
        let tree = Tree::new();
        tree.plug("hidraw3", COMPACT, LEFT, "");
        let [found] = &list(&tree.places())[..] else { panic!("one device") };
        assert_eq!(found.node, tree.places().dev.join("hidraw3"));
        assert_eq!((found.vendor, found.product), (0x256f, 0xc635));
        assert_eq!(found.to_string(), "SpaceMouse Compact at usb-0000:00:14.0-2/input0");
        assert_eq!(found.family(), Some(Family::TwoReports));
    }

    #[test]
    fn a_model_that_came_later_is_found_by_what_it_is() {
        let tree = Tree::new();
        tree.plug("hidraw0", [0x256f, 0xc7ff], LEFT, "S1");
        let [found] = &list(&tree.places())[..] else { panic!("one device") };
        assert_eq!(
            found.to_string(),
            "3Dconnexion Thing at usb-0000:00:14.0-2/input0 with serial S1"
        );
        assert_eq!(found.family(), None);
    }

    #[test]
    fn mice_keyboards_and_others_are_none() {
        let tree = Tree::new();
        // A CadMouse, a Logitech mouse and somebody else's multi-axis controller.
        tree.plug("hidraw0", [0x256f, 0xc650], LEFT, "");
        tree.plug_with("hidraw1", [0x046d, 0xc077], LEFT, "", &[0x05, 0x01, 0x09, 0x02]);
        tree.plug("hidraw2", [0x1234, 0xc635], LEFT, "");
        assert_eq!(list(&tree.places()), []);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let tree = Tree::new();
        tree.plug("hidraw0", COMPACT, LEFT, "");
        fs::write(tree.folder("hidraw0").join("device/uevent"), "HID_ID=3:x\n").unwrap();
        tree.plug("hidraw1", COMPACT, LEFT, "");
        fs::remove_file(tree.folder("hidraw1").join("device/report_descriptor")).unwrap();
        assert_eq!(list(&tree.places()), []);
    }

    #[test]
    fn two_of_a_kind_are_told_apart_by_where_they_are_plugged_in() {
        let tree = Tree::new();
        tree.plug("hidraw10", COMPACT, LEFT, "");
        tree.plug("hidraw2", COMPACT, RIGHT, "");
        let at = |path: &str| Choice { usb_path: Some(path.into()), serial: None };
        assert_eq!(nodes(&chosen(&tree.places(), &Choice::default())), ["hidraw2", "hidraw10"]);
        assert_eq!(nodes(&chosen(&tree.places(), &at("usb-0000:00:14.0-2"))), ["hidraw10"]);
        assert_eq!(nodes(&chosen(&tree.places(), &at("usb-0000:00:14.0-20"))), ["hidraw2"]);
        assert_eq!(nodes(&chosen(&tree.places(), &at(RIGHT))), ["hidraw2"]);
        assert_eq!(nodes(&chosen(&tree.places(), &at("usb-0000:00:14.0"))), [""; 0]);
    }

    #[test]
    fn or_by_their_serial() {
        let tree = Tree::new();
        tree.plug("hidraw0", COMPACT, LEFT, "A");
        tree.plug("hidraw1", COMPACT, RIGHT, "B");
        let choice = Choice { usb_path: None, serial: Some("B".into()) };
        assert_eq!(nodes(&chosen(&tree.places(), &choice)), ["hidraw1"]);
        let both = Choice { usb_path: Some("usb-0000:00:14.0-2".into()), ..choice };
        assert_eq!(nodes(&chosen(&tree.places(), &both)), [""; 0]);
    }
}
