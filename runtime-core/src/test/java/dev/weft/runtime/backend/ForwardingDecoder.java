package dev.weft.runtime.backend;

import dev.weft.runtime.model.AdapterWeights;
import java.lang.foreign.MemorySegment;

/// Another decoder; a test overrides what is to be different.
public class ForwardingDecoder implements DecoderExecutable {
  private final DecoderExecutable decoder;

  public ForwardingDecoder(DecoderExecutable decoder) {
    this.decoder = decoder;
  }

  @Override
  public KvLayout kvLayout() {
    return decoder.kvLayout();
  }

  @Override
  public KvFormat kvFormat() {
    return decoder.kvFormat();
  }

  @Override
  public Arrival arrival() {
    return decoder.arrival();
  }

  @Override
  public PendingStep forward(StepBatch batch) {
    return decoder.forward(batch);
  }

  @Override
  public boolean runsAhead() {
    return decoder.runsAhead();
  }

  @Override
  public int rowsAtOnce() {
    return decoder.rowsAtOnce();
  }

  @Override
  public void prepare(int rows) {
    decoder.prepare(rows);
  }

  @Override
  public void releaseBlocks(int[] blocks) {
    decoder.releaseBlocks(blocks);
  }

  @Override
  public long adapterBytes(AdapterWeights adapter) {
    return decoder.adapterBytes(adapter);
  }

  @Override
  public int addAdapter(AdapterWeights adapter) {
    return decoder.addAdapter(adapter);
  }

  @Override
  public void removeAdapter(int handle) {
    decoder.removeAdapter(handle);
  }

  @Override
  public void moveBlocks(int[] from, int[] to) {
    decoder.moveBlocks(from, to);
  }

  @Override
  public void saveBlocks(int[] blocks, MemorySegment target) {
    decoder.saveBlocks(blocks, target);
  }

  @Override
  public void loadBlocks(int[] blocks, MemorySegment source) {
    decoder.loadBlocks(blocks, source);
  }

  @Override
  public HostBlocks hostBlocks() {
    return decoder.hostBlocks();
  }

  @Override
  public void close() {
    decoder.close();
  }
}
