package dev.weft.runtime.source;

import java.io.ByteArrayInputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/// What an object store says in XML: a page of a listing, and why it refuses. Read as a stream,
/// without document types or entities, which a listing has none of.
final class S3Answers {
  private S3Answers() {}

  /// A page of a listing (ListObjectsV2).
  ///
  /// @param next what the next page is asked for with; empty after the last
  record Page(List<ListedFile> files, Optional<String> next) {
    public Page {
      files = List.copyOf(files);
    }
  }

  /// Why a request is refused; members that the answer lacks are empty.
  ///
  /// @param region the bucket's, where that is why
  record Refusal(String code, String region) {
    static final Refusal NONE = new Refusal("", "");
  }

  /// One object of a listing as it is read; its members come in any order.
  private static final class Entry {
    private String key = "";
    private String tag = "";
    private long bytes = -1;
  }

  static Page page(byte[] answer) throws XMLStreamException {
    List<Entry> entries = new ArrayList<>();
    String next = "";
    boolean encoded = false;
    boolean listing = false;
    XMLStreamReader xml = reader(answer);
    boolean within = false;
    while (xml.hasNext()) {
      int event = xml.next();
      if (event == XMLStreamConstants.END_ELEMENT && xml.getLocalName().equals("Contents")) {
        within = false;
      }
      if (event != XMLStreamConstants.START_ELEMENT) {
        continue;
      }
      switch (xml.getLocalName()) {
        case "ListBucketResult" -> listing = true;
        case "Contents" -> {
          within = true;
          entries.add(new Entry());
        }
        case "EncodingType" -> encoded = xml.getElementText().equals("url");
        case "NextContinuationToken" -> next = xml.getElementText();
        case "Key" -> {
          if (within) {
            entries.getLast().key = xml.getElementText();
          }
        }
        case "ETag" -> {
          if (within) {
            entries.getLast().tag = xml.getElementText();
          }
        }
        case "Size" -> {
          if (within) {
            entries.getLast().bytes = number(xml.getElementText());
          }
        }
        default -> {}
      }
    }
    if (!listing) {
      throw new XMLStreamException("no ListBucketResult");
    }
    List<ListedFile> files = new ArrayList<>();
    for (Entry entry : entries) {
      String key = encoded ? URLDecoder.decode(entry.key, StandardCharsets.UTF_8) : entry.key;
      files.add(new ListedFile(key, entry.bytes, Hashes.ETAG, entry.tag));
    }
    return new Page(files, Optional.of(next).filter(token -> !token.isEmpty()));
  }

  private static long number(String text) throws XMLStreamException {
    try {
      return Long.parseLong(text.strip());
    } catch (NumberFormatException e) {
      throw new XMLStreamException("a size that is no number", e);
    }
  }

  /// What an error says; [Refusal#NONE] when it is not one of an object store.
  static Refusal refusal(byte[] answer) {
    String code = "";
    String region = "";
    try {
      XMLStreamReader xml = reader(answer);
      while (xml.hasNext()) {
        if (xml.next() == XMLStreamConstants.START_ELEMENT) {
          switch (xml.getLocalName()) {
            case "Code" -> code = xml.getElementText();
            case "Region" -> region = xml.getElementText();
            default -> {}
          }
        }
      }
    } catch (XMLStreamException e) {
      return Refusal.NONE;
    }
    return new Refusal(code, region);
  }

  private static XMLStreamReader reader(byte[] answer) throws XMLStreamException {
    XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
    factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
    factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
    factory.setProperty(XMLInputFactory.IS_COALESCING, true);
    return factory.createXMLStreamReader(new ByteArrayInputStream(answer));
  }
}
