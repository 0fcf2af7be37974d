//! Pictures as videos, with a codec that keeps every byte: what belongs to which row is tried here.
//! The real codec is tried in `lens/tests/videos.rs`, and the program with it in `tests/exchange.rs`.

use std::{
    fs::File,
    io::{self, Write},
    iter,
};

use wire::Frame;

use super::*;

/// Width and height, then the bytes of the pictures.
#[derive(Debug)]
struct Bytes {
    /// Pictures that fit on the disk.
    room: usize,
}

const EXACT: Bytes = Bytes { room: usize::MAX };

impl VideoCodec for Bytes {
    fn read(&self, path: &Path) -> io::Result<Pictures> {
        let bytes = fs::read(path)?;
        let (size, mut rest) = bytes.split_at(4);
        let [width, height] = [0, 2].map(|at| u16::from_le_bytes([size[at], size[at + 1]]));
        let len = usize::from(width) * usize::from(height) * 3;
        let mut pictures = Vec::new();
        while let Some((picture, others)) = rest.split_at_checked(len) {
            pictures.push(Ok(Frame::new(width, height, picture.to_vec()).unwrap()));
            rest = others;
        }
        Ok(Box::new(pictures.into_iter()))
    }

    fn write(
        &self,
        path: &Path,
        fps: f64,
        (width, height): (u16, u16),
    ) -> io::Result<Box<dyn VideoSink>> {
        assert!((fps - 10.0).abs() < 1e-9, "{fps}");
        let mut file = File::create_new(path)?;
        file.write_all(&[width.to_le_bytes(), height.to_le_bytes()].concat())?;
        Ok(Box::new(Sink { file, room: self.room }))
    }
}

struct Sink {
    file: File,
    room: usize,
}

impl VideoSink for Sink {
    fn write(&mut self, frame: &Frame) -> io::Result<()> {
        self.room = self.room.checked_sub(1).ok_or_else(|| io::Error::other("the disk is full"))?;
        self.file.write_all(&frame.pixels)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

fn as_videos() -> ExportOptions<'static> {
    ExportOptions { videos: Some(&EXACT), ..ExportOptions::default() }
}

#[test]
fn videos_come_back_as_they_went() {
    check_round_trip(&["wrist"], &as_videos());
    check_round_trip(&["wrist", "side"], &as_videos());
    check_round_trip(&[], &as_videos());
}

#[test]
fn full_videos_are_followed_by_others() {
    let options = ExportOptions { video_file_bytes: 1, files_per_chunk: 3, ..as_videos() };
    check_round_trip(&["wrist", "side"], &options);
    let place = Place::new(&["wrist"]);
    place.export(&options, "data").unwrap();
    for file in ["chunk-000/file-000", "chunk-000/file-002", "chunk-001/file-000"] {
        let file = place.at(&format!("data/videos/observation.images.wrist/{file}.mp4"));
        assert!(file.is_file(), "{}", file.display());
    }
}

#[test]
fn the_metadata_says_that_they_are_videos() {
    let place = Place::new(&["wrist"]);
    place.export(&as_videos(), "data").unwrap();
    let info = place.json("data/meta/info.json");
    let feature = &info["features"]["observation.images.wrist"];
    assert_eq!((&feature["dtype"], &feature["info"]["video.fps"]), (&"video".into(), &10.into()));
    assert!(info["video_path"].as_str().unwrap().starts_with("videos/{video_key}/"), "{info}");
    // Their figures are those of pictures; their pixels are not among the data.
    let stats = place.json("data/meta/stats.json");
    assert!(stats["observation.images.wrist"]["mean"][2][0][0].is_f64(), "{stats}");
    let data = place.at("data/data/chunk-000/file-000.parquet");
    for batch in import::read_batches(&data).unwrap() {
        assert!(batch.unwrap().column_by_name("observation.images.wrist").is_none());
    }
}

/// Exports videos, lets a test spoil them, and says why they are refused.
fn spoilt_videos(codec: Option<&dyn VideoCodec>, spoil: impl FnOnce(&Place)) -> String {
    let place = Place::new(&["wrist"]);
    place.export(&as_videos(), "data").unwrap();
    spoil(&place);
    let options = ImportOptions { videos: codec, ..ImportOptions::default() };
    let refused = import(&place.at("data"), &place.task, &options, &mut |_| Ok(()));
    refused.unwrap_err().to_string()
}

#[test]
fn damaged_videos_are_refused_and_named() {
    let file = "data/videos/observation.images.wrist/chunk-000/file-000.mp4";
    let error = spoilt_videos(None, |_| ());
    assert!(error.contains("file-000.mp4: nothing here reads videos"), "{error}");
    let error = spoilt_videos(Some(&EXACT), |place| fs::remove_file(place.at(file)).unwrap());
    assert!(error.contains("file-000.mp4: No such file"), "{error}");
    let picture = 16 * 16 * 3;
    let error = spoilt_videos(Some(&EXACT), |place| {
        let bytes = fs::read(place.at(file)).unwrap();
        fs::write(place.at(file), &bytes[..4 + 7 * picture]).unwrap();
    });
    assert!(error.contains("ends after 7 pictures, and row 2 of episode 1"), "{error}");
    let error = spoilt_videos(Some(&EXACT), |place| {
        let mut bytes = fs::read(place.at(file)).unwrap();
        bytes[0] = 8;
        fs::write(place.at(file), bytes).unwrap();
    });
    assert!(error.contains("8x16 pixels, the task wants 16x16"), "{error}");
    // Metadata of a data set that has pictures.
    let error = spoilt_videos(Some(&EXACT), |place| {
        place.export(&ExportOptions::default(), "other").unwrap();
        let episodes = "meta/episodes/chunk-000/file-000.parquet";
        fs::copy(place.at("other").join(episodes), place.at("data").join(episodes)).unwrap();
    });
    assert!(error.contains("no column videos/observation.images.wrist/"), "{error}");
}

#[test]
fn a_video_that_cannot_be_written_leaves_nothing() {
    let place = Place::new(&["wrist"]);
    let options = ExportOptions { videos: Some(&Bytes { room: 7 }), ..ExportOptions::default() };
    let error = place.export(&options, "data").unwrap_err();
    let ExchangeError::Io { action: "writing the video", source, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(source.to_string(), "the disk is full");
    assert_eq!(fs::read_dir(place.home.path()).unwrap().count(), 1, "the journal");
}

#[test]
fn rows_may_ask_for_pictures_in_any_order() {
    let place = Place::new(&["wrist"]);
    let root = place.at("data");
    let picture = |number| Frame::new(2, 2, vec![number; 12]).unwrap();
    let mut film = video::Film::new(&EXACT, (&root, "eye".into()), ((2, 2), 10.0), (1 << 20, 9));
    let pictures: Vec<Frame> = (0..5).map(picture).collect();
    let spans = [&pictures[..2], &pictures[2..]]
        .map(|part| film.add(&part.iter().collect::<Vec<_>>()).unwrap());
    film.finish().unwrap();
    let mut videos = video::Videos::new(Some(&EXACT), &root, 10.0, []);
    // The second part is called episode 0; of episode 2 nonsense is said.
    let far = video::Span { from_s: 1e300, ..spans[0] };
    videos.spans.insert("eye".into(), iter::zip([1, 0, 2], [spans[0], spans[1], far]).collect());
    for (row, wanted) in
        [((0, 0), 2), ((0, 2), 4), ((1, 0), 0), ((1, 1), 1), ((0, 1), 3), ((0, 1), 3)]
    {
        assert_eq!(videos.frame("eye", row), Ok(picture(wanted)), "{row:?}");
    }
    let error = videos.frame("eye", (2, 1)).unwrap_err();
    assert!(error.contains("ends after 5 pictures"), "{error}");
}
